//! A model of the apply path: the same decisions, on a host of plain values that loses power after any step.
//!
//! Each durable effect of the real path is one effect here, in the same order. Every run is cut short after each of its
//! effects, and after each effect of the run that follows, and must still end as an undisturbed one.

use std::collections::{BTreeMap, BTreeSet};

use schema::ack::{Active, Outcome, Step};
use schema::{Ack, Digest, Order, Pointer, Seen, Verified};

use super::tests::{pointer, root};
use super::{Next, Situation, Source, next};
use crate::journal::tests::{ack, at, bundle};
use crate::journal::{Applied, Bad, Intent, JournalState, Record};

/// Says that the power went.
struct Killed;

struct Host {
    journal: JournalState,
    current: Option<Digest>,
    on_disk: BTreeSet<Digest>,
    /// Bundles whose `check`, and whose `reload`, says no.
    check_fails: BTreeSet<Digest>,
    reload_fails: BTreeSet<Digest>,
    /// Effects until the power goes.
    left: usize,
    switches: BTreeMap<u64, usize>,
    results: BTreeMap<u64, usize>,
    newest: Option<Order>,
}

impl Host {
    fn new(check_fails: Option<u64>, reload_fails: Option<u64>) -> Host {
        Host {
            journal: JournalState::default(),
            current: None,
            on_disk: BTreeSet::new(),
            check_fails: check_fails.map(bundle).into_iter().collect(),
            reload_fails: reload_fails.map(bundle).into_iter().collect(),
            left: usize::MAX,
            switches: BTreeMap::new(),
            results: BTreeMap::new(),
            newest: None,
        }
    }

    /// Runs with `pointer` in hand until there is nothing left to do, or the power goes.
    fn run(&mut self, pointer: &Verified<Pointer>) -> Result<(), Killed> {
        if self.journal.seen != Some(Seen::of(pointer)) {
            self.record(Record::Seen { seen: Seen::of(pointer), issued: pointer.issued, until: None })?;
        }
        loop {
            let decided = next(&Situation {
                journal: &self.journal,
                current: self.current,
                on_disk: &self.on_disk,
                pointer: Some(pointer),
                root: &root(1000),
                agent: &"web-0173".parse().expect("a name"),
                now: at(1),
            });
            match decided {
                Next::Nothing | Next::Hold(_) => return Ok(()),
                Next::Report(report) => panic!("nothing here is ever stale, but {report:?}"),
                Next::FinishSwitch(intent) => self.finish(Applied { intent, bundle_bytes: 0 })?,
                Next::RunHooks(applied) => self.hooks(applied)?,
                Next::Return(bad) => self.go_back(&bad)?,
                Next::Apply(target, source) => self.apply(pointer.order(), target.digest, source)?,
            }
        }
    }

    fn apply(&mut self, order: Order, target: Digest, source: Source) -> Result<(), Killed> {
        let intent = Intent { order, target, previous: self.current, notified_at: at(1) };
        self.record(Record::Intent(intent))?;
        if source == Source::Store {
            self.effect()?;
            self.on_disk.insert(target);
        }
        let applied = Applied { intent, bundle_bytes: 0 };
        if source == Source::Running {
            return self.settle(intent, Outcome::Applied, None);
        }
        if self.check_fails.contains(&target) {
            return self.judge(applied, Step::Check);
        }
        self.effect()?;
        assert!(self.on_disk.contains(&target), "ATOMIC: `current` never leads to nothing");
        self.current = Some(target);
        *self.switches.entry(order.generation.number()).or_default() += 1;
        self.finish(applied)
    }

    fn finish(&mut self, applied: Applied) -> Result<(), Killed> {
        self.record(Record::Applied(applied))?;
        let order = applied.intent.order;
        assert!(self.newest.is_none_or(|newest| newest <= order), "MONO: {order} after {:?}", self.newest);
        self.newest = Some(order);
        self.hooks(applied)
    }

    fn hooks(&mut self, applied: Applied) -> Result<(), Killed> {
        self.effect()?;
        if self.reload_fails.contains(&applied.intent.target) {
            return self.judge(applied, Step::Reload);
        }
        self.settle(applied.intent, Outcome::Applied, None)
    }

    fn judge(&mut self, applied: Applied, step: Step) -> Result<(), Killed> {
        let bad = Bad { applied, step, reason: "no".into() };
        self.record(Record::Bad(bad.clone()))?;
        self.go_back(&bad)
    }

    fn go_back(&mut self, bad: &Bad) -> Result<(), Killed> {
        let intent = bad.applied.intent;
        if let Some(previous) = intent.previous.filter(|_| self.current == Some(intent.target)) {
            self.effect()?;
            self.current = Some(previous);
        }
        self.effect()?;
        self.settle(intent, Outcome::Failed, Some(bad.step))
    }

    fn settle(&mut self, intent: Intent, outcome: Outcome, step: Option<Step>) -> Result<(), Killed> {
        let Order { epoch, generation, .. } = intent.order;
        let active = self.current.map(|digest| match self.journal.active {
            Some(active) if outcome == Outcome::Failed && active.digest == digest => active,
            _ => Active { digest, epoch, generation },
        });
        let ack = Ack { attempted: intent.target, active, ..ack(generation.number(), 0, outcome, step) };
        self.record(Record::Outcome { ack })?;
        *self.results.entry(generation.number()).or_default() += 1;
        Ok(())
    }

    fn record(&mut self, record: Record) -> Result<(), Killed> {
        self.effect()?;
        self.journal.fold(&record);
        Ok(())
    }

    /// The power goes before an effect or after it, and before the next is the same as after this one.
    fn effect(&mut self) -> Result<(), Killed> {
        self.left = self.left.checked_sub(1).ok_or(Killed)?;
        Ok(())
    }
}

/// Runs through all pointers, losing power after the numbers of effects in `kills`, and gives the host at the end.
fn history(pointers: &[Verified<Pointer>], mut host: Host, kills: &[usize]) -> Host {
    let mut kills = kills.iter().copied();
    host.left = kills.next().unwrap_or(usize::MAX);
    for pointer in pointers {
        while host.run(pointer).is_err() {
            host.left = kills.next().unwrap_or(usize::MAX);
        }
    }
    host
}

#[test]
fn f01_whenever_the_power_goes_the_end_is_that_of_an_undisturbed_run() {
    // A first bundle, an update, a revert, a change that changes no byte, and the update once more.
    let pointers: Vec<_> =
        [1, 2, 1, 1, 2].iter().zip(1..).map(|(target, number)| pointer(number, *target, |_| ())).collect();
    for (check_fails, reload_fails) in [(None, None), (Some(2), None), (None, Some(2)), (None, Some(1))] {
        let undisturbed = history(&pointers, Host::new(check_fails, reload_fails), &[]);
        for first in 0..40 {
            for second in 0..40 {
                let disturbed = history(&pointers, Host::new(check_fails, reload_fails), &[first, second]);
                let case = format!("killed after {first} and {second}, {check_fails:?} {reload_fails:?}");
                assert_eq!(disturbed.current, undisturbed.current, "CONVERGE: {case}");
                assert_eq!(disturbed.journal.settled, undisturbed.journal.settled, "CONVERGE: {case}");
                assert_eq!(disturbed.switches, undisturbed.switches, "ONCE: {case}");
                assert_eq!(disturbed.results, undisturbed.results, "ONCE: {case}");
                assert!(disturbed.results.values().all(|count| *count == 1), "ONCE: {case}");
                assert!(disturbed.switches.values().all(|count| *count == 1), "ONCE: {case}");
            }
        }
    }
}

#[test]
fn f01_a_newer_pointer_may_come_at_any_moment_of_an_older_one() {
    let (older, newer) = (pointer(1, 1, |_| ()), pointer(2, 2, |_| ()));
    for reload_fails in [None, Some(1), Some(2)] {
        for kill in 0..12 {
            let mut host = Host::new(None, reload_fails);
            host.left = kill;
            let killed = host.run(&older).is_err();
            host.left = usize::MAX;
            assert!(host.run(&newer).is_ok(), "the power stays on");
            assert_eq!(host.results.get(&2), Some(&1), "ONCE, killed after {kill}: {killed}");
            // Where the older one never got as far as a switch, there is nothing to go back to.
            let goes_back = reload_fails == Some(2) && host.results.contains_key(&1);
            let end = bundle(if goes_back { 1 } else { 2 });
            assert_eq!(host.current, Some(end), "CONVERGE, killed after {kill}: {killed}");
        }
    }
}
