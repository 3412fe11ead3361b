//! A model of the apply path: the same decisions, on a host of plain values that loses power after any step.
//!
//! Each durable effect of the real path is one effect here, in the same order. Every run is cut short after each of its
//! effects, and after each effect of the run that follows, and must still end as an undisturbed one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schema::ack::{Active, Outcome, Step};
use schema::pointer::{Candidate, FULL_SHARE, Member, Phase, Slice};
use schema::time::Length;
use schema::{Ack, AgentId, Digest, Order, Pointer, Seen, TrustRoot, Verified};

use super::tests::{agent, pointer, root, target};
use super::{Next, Situation, Source, next};
use crate::journal::tests::{ack, at, bundle};
use crate::journal::{Applied, Bad, Held, Intent, JournalState, Record, Until};

/// Says that the power went.
struct Killed;

/// What was done, or said, about a bundle in a generation.
type Counts = BTreeMap<(u64, Digest), usize>;

struct Host {
    root: TrustRoot,
    agent: AgentId,
    journal: JournalState,
    current: Option<Digest>,
    on_disk: BTreeSet<Digest>,
    /// The time, in seconds.
    now: u64,
    /// Bundles whose `check`, and whose `reload`, says no.
    check_fails: BTreeSet<Digest>,
    reload_fails: BTreeSet<Digest>,
    /// Effects until the power goes.
    left: usize,
    switches: Counts,
    results: Counts,
    readied: Counts,
    /// Results that were taken back, because nobody confirmed in time.
    unconfirmed: Counts,
    newest: Option<Order>,
}

impl Host {
    fn new(check_fails: Option<u64>, reload_fails: Option<u64>) -> Host {
        Host {
            root: root(1000),
            agent: agent(),
            journal: JournalState::default(),
            current: None,
            on_disk: BTreeSet::new(),
            now: 1,
            check_fails: check_fails.map(bundle).into_iter().collect(),
            reload_fails: reload_fails.map(bundle).into_iter().collect(),
            left: usize::MAX,
            switches: Counts::new(),
            results: Counts::new(),
            readied: Counts::new(),
            unconfirmed: Counts::new(),
            newest: None,
        }
    }

    /// Runs with `pointer` in hand until there is nothing left to do, or the power goes.
    fn run(&mut self, pointer: Option<&Verified<Pointer>>) -> Result<(), Killed> {
        if let Some(pointer) = pointer.filter(|pointer| self.journal.seen != Some(Seen::of(pointer))) {
            let until = Some(Until::of(pointer, &self.agent));
            self.record(Record::Seen { seen: Seen::of(pointer), issued: pointer.issued, until })?;
        }
        loop {
            let decided = next(&Situation {
                journal: &self.journal,
                current: self.current,
                on_disk: &self.on_disk,
                pointer,
                root: &self.root,
                member: Member { agent: &self.agent, labels: &BTreeMap::new() },
                now: self.journal.time(at(self.now)),
                watched: Duration::ZERO,
            });
            let order = || pointer.expect("something was asked").order();
            match decided {
                Next::Nothing | Next::Hold(_) => return Ok(()),
                Next::Report(report) => panic!("nothing here is ever stale, but {report:?}"),
                Next::FinishSwitch(intent) => self.finish(self.applied(intent))?,
                Next::RunHooks(applied) => self.hooks(applied)?,
                Next::Return(bad) => self.go_back(&bad)?,
                Next::GiveUp(bad) => self.judge(bad.applied, bad.step)?,
                Next::Confirm(digest) => self.record(Record::Confirmed { digest })?,
                Next::Apply(target, source) => self.apply(order(), target.digest, source, None)?,
                Next::Try(target, source, within) => self.apply(order(), target.digest, source, Some(within))?,
                Next::Decline(target) => {
                    let about = Intent::unrecorded(order(), target.digest, self.current, at(1));
                    self.settle(about, Outcome::Failed, Some(Step::Confirm))?;
                }
                Next::Prepare(target, source) => self.prepare(order(), target.digest, source)?,
                Next::Foresee(target, step) => self.answer(order(), target.digest, Some(step))?,
            }
        }
    }

    fn applied(&self, intent: Intent) -> Applied {
        Applied { intent, bundle_bytes: 0, at: self.journal.time(at(self.now)) }
    }

    fn apply(
        &mut self,
        order: Order,
        target: Digest,
        source: Source,
        confirm_within: Option<Length>,
    ) -> Result<(), Killed> {
        let previous = self.journal.way_back(self.current, &target);
        let decided_at = Some(at(self.now));
        let intent = Intent { confirm_within, decided_at, ..Intent::unrecorded(order, target, previous, at(1)) };
        self.record(Record::Intent(intent))?;
        self.fetch(target, source)?;
        if source == Source::Running {
            return self.settle(intent, Outcome::Applied, None);
        }
        let applied = self.applied(intent);
        if self.check_fails.contains(&target) {
            return self.judge(applied, Step::Check);
        }
        self.effect()?;
        assert!(self.on_disk.contains(&target), "ATOMIC: `current` never leads to nothing");
        // What runs all the same, for want of anything to go back to, is not switched to.
        if self.current.replace(target) != Some(target) {
            *self.switches.entry((order.generation.number(), target)).or_default() += 1;
        }
        self.finish(applied)
    }

    fn fetch(&mut self, target: Digest, source: Source) -> Result<(), Killed> {
        if source == Source::Store {
            self.effect()?;
            self.on_disk.insert(target);
        }
        Ok(())
    }

    fn prepare(&mut self, order: Order, target: Digest, source: Source) -> Result<(), Killed> {
        self.fetch(target, source)?;
        self.effect()?;
        let refused = self.check_fails.contains(&target).then_some(Step::Check);
        self.answer(order, target, refused)
    }

    fn answer(&mut self, order: Order, target: Digest, refused: Option<Step>) -> Result<(), Killed> {
        let outcome = if refused.is_some() { Outcome::Unprepared } else { Outcome::Prepared };
        let (generation, before) = (order.generation.number(), self.journal.active);
        self.say(Ack { attempted: target, active: before, ..ack(generation, 0, outcome, refused) })?;
        *self.readied.entry((generation, target)).or_default() += 1;
        Ok(())
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
        let back = bad.step != Step::Check && self.current == Some(intent.target);
        if let Some(previous) = intent.previous.filter(|_| back) {
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
        self.say(Ack { attempted: intent.target, active, ..ack(generation.number(), 0, outcome, step) })?;
        let counts = if step == Some(Step::Confirm) { &mut self.unconfirmed } else { &mut self.results };
        *counts.entry((generation.number(), intent.target)).or_default() += 1;
        Ok(())
    }

    /// Every word is later than the one before, and about no older generation.
    fn say(&mut self, ack: Ack) -> Result<(), Killed> {
        let before = self.journal.told.as_ref();
        assert!(before.is_none_or(|before| before.generation <= ack.generation), "MONO: {ack:?} after {before:?}");
        let later = before.map_or(at(1), |before| before.at.after(Duration::from_millis(1)));
        self.record(Record::Outcome { ack: Ack { at: later, ..ack } })
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

/// What happens to a host.
#[expect(clippy::large_enum_variant, reason = "there are a handful of them")]
enum Event {
    /// It hears of a pointer.
    Hears(Verified<Pointer>),
    /// It becomes so late, and the host still has its pointer.
    Late(u64),
    /// It becomes so late, and the host is started anew where it reaches nobody.
    CutOff(u64),
}

/// Runs through all that happens, losing power after the numbers of effects in `kills`, and gives the host at the end.
fn history(events: &[Event], mut host: Host, kills: &[usize]) -> Host {
    let mut kills = kills.iter().copied();
    host.left = kills.next().unwrap_or(usize::MAX);
    let mut in_hand = None;
    for event in events {
        match event {
            Event::Hears(pointer) => in_hand = Some(pointer),
            Event::Late(now) => host.now = *now,
            Event::CutOff(now) => (in_hand, host.now) = (None, *now),
        }
        while host.run(in_hand).is_err() {
            host.left = kills.next().unwrap_or(usize::MAX);
        }
    }
    host
}

/// Runs through it undisturbed, and then losing power after every two numbers of effects; what comes of it must be the same.
fn check(events: &[Event], new: impl Fn() -> Host, case: &str) -> Host {
    let undisturbed = history(events, new(), &[]);
    for first in 0..45 {
        for second in 0..20 {
            let disturbed = history(events, new(), &[first, second]);
            let case = format!("killed after {first} and {second}, {case}");
            assert_eq!(disturbed.current, undisturbed.current, "CONVERGE: {case}");
            assert_eq!(disturbed.journal.settled, undisturbed.journal.settled, "CONVERGE: {case}");
            assert_eq!(disturbed.journal.readied, undisturbed.journal.readied, "CONVERGE: {case}");
            assert_eq!(disturbed.journal.trial, undisturbed.journal.trial, "CONVERGE: {case}");
            assert_eq!(disturbed.switches, undisturbed.switches, "ONCE: {case}");
            assert_eq!(disturbed.results, undisturbed.results, "ONCE: {case}");
            assert_eq!(disturbed.readied, undisturbed.readied, "ONCE: {case}");
            assert_eq!(disturbed.unconfirmed, undisturbed.unconfirmed, "ONCE: {case}");
            let counts = [&disturbed.switches, &disturbed.results, &disturbed.readied, &disturbed.unconfirmed];
            assert!(counts.into_iter().flat_map(Counts::values).all(|count| *count == 1), "ONCE: {case}");
        }
    }
    undisturbed
}

/// Bundle 1 is stable, and bundle 2 on its way to everybody.
fn rolling(generation: u64, phase: Phase, change: impl FnOnce(&mut Candidate)) -> Event {
    let slice = Slice { share: FULL_SHARE, when: Default::default(), not_before: None, confirmed: false };
    let mut candidate = Candidate {
        target: target(2),
        phase,
        slice,
        salt: "salt".into(),
        spread_s: 0,
        confirm_within_s: 10,
        also: Vec::new(),
    };
    change(&mut candidate);
    Event::Hears(pointer(generation, 1, |pointer| pointer.candidate = Some(candidate)))
}

const FAULTS: [(Option<u64>, Option<u64>); 4] = [(None, None), (Some(2), None), (None, Some(2)), (None, Some(1))];

#[test]
fn f01_whenever_the_power_goes_the_end_is_that_of_an_undisturbed_run() {
    for (check_fails, reload_fails) in FAULTS {
        // A first bundle, an update, a revert, a change that changes no byte, and the update once more.
        let pointers = [1, 2, 1, 1, 2].iter().zip(1..).map(|(target, number)| pointer(number, *target, |_| ()));
        let events: Vec<Event> = pointers.map(Event::Hears).collect();
        check(&events, || Host::new(check_fails, reload_fails), &format!("{check_fails:?} {reload_fails:?}"));
    }
}

#[test]
fn f01_whenever_the_power_goes_a_rollout_ends_as_it_would_have() {
    for (check_fails, reload_fails) in FAULTS {
        let case = format!("{check_fails:?} {reload_fails:?}");
        let new = || Host::new(check_fails, reload_fails);
        let to_a_trial = || {
            vec![
                Event::Hears(pointer(1, 1, |_| ())),
                rolling(2, Phase::Prepare, |_| ()),
                rolling(3, Phase::Activate, |_| ()),
                Event::Late(5),
                // Another agent went into quarantine; the trial does not begin anew.
                rolling(4, Phase::Activate, |_| ()),
                Event::Late(9),
            ]
        };
        let takes_it = check_fails != Some(2) && reload_fails != Some(2);
        let at_first = bundle(1);
        let on = |events: Vec<Event>, more: Vec<Event>| events.into_iter().chain(more).collect::<Vec<_>>();

        let back = on(to_a_trial(), vec![Event::Hears(pointer(5, 1, |_| ()))]);
        let host = check(&back, new, &format!("taken back, {case}"));
        assert_eq!((host.current, host.journal.trial), (Some(at_first), None), "{case}");

        let confirmed = vec![
            rolling(5, Phase::Activate, |candidate| candidate.slice.confirmed = true),
            Event::CutOff(90),
            Event::Hears(pointer(6, 2, |_| ())),
        ];
        let host = check(&on(to_a_trial(), confirmed), new, &format!("confirmed, {case}"));
        assert_eq!(host.current, Some(bundle(if takes_it { 2 } else { 1 })), "{case}");

        let host = check(&on(to_a_trial(), vec![Event::CutOff(11)]), new, &format!("cut off, {case}"));
        assert_eq!((host.current, host.journal.trial), (Some(at_first), None), "{case}");

        let offered_again =
            vec![Event::CutOff(11), rolling(5, Phase::Prepare, |_| ()), rolling(6, Phase::Activate, |_| ())];
        let host = check(&on(to_a_trial(), offered_again), new, &format!("offered again, {case}"));
        assert_eq!(
            (host.current, host.switches.contains_key(&(6, bundle(2)))),
            (Some(at_first), !takes_it && reload_fails == Some(2)),
            "{case}"
        );

        let stable_at_last =
            vec![Event::CutOff(11), rolling(5, Phase::Activate, |_| ()), Event::Hears(pointer(6, 2, |_| ()))];
        let host = check(&on(to_a_trial(), stable_at_last), new, &format!("stable at last, {case}"));
        assert_eq!(host.current, Some(bundle(if takes_it { 2 } else { 1 })), "{case}");
    }
}

#[test]
fn f01_a_plan_that_goes_by_the_clock_is_followed_through_every_loss_of_power() {
    for (check_fails, reload_fails) in FAULTS {
        let timed = |candidate: &mut Candidate| {
            (candidate.slice.not_before, candidate.confirm_within_s) = (Some(at(20)), 0);
        };
        let events = [
            Event::Hears(pointer(1, 1, |_| ())),
            rolling(2, Phase::Activate, timed),
            Event::Late(19),
            Event::Late(20),
            // The clock is set back.
            Event::Late(3),
            Event::Late(21),
        ];
        let host =
            check(&events, || Host::new(check_fails, reload_fails), &format!("{check_fails:?} {reload_fails:?}"));
        let takes_it = check_fails != Some(2) && reload_fails != Some(2);
        assert_eq!(host.current, Some(bundle(if takes_it { 2 } else { 1 })));
        assert!(host.results.contains_key(&(2, bundle(1))) && host.results.contains_key(&(2, bundle(2))));
    }
}

#[test]
fn f01_who_is_held_stays_on_trial_and_its_time_begins_anew() {
    for held in [Held::Frozen, Held::Quarantined] {
        let hold = |generation: u64| {
            let Event::Hears(mut pointer) = rolling(generation, Phase::Activate, |_| ()) else { panic!("a pointer") };
            let mut inner = (*pointer).clone();
            match held {
                Held::Frozen => inner.freeze = true,
                Held::Quarantined => inner.quarantine = vec![agent()],
            }
            pointer = super::tests::sealed(inner);
            Event::Hears(pointer)
        };
        let later = |generation: u64| {
            let Event::Hears(pointer) = rolling(generation, Phase::Activate, |_| ()) else { panic!("a pointer") };
            let mut inner = (*pointer).clone();
            inner.issued = at(50);
            Event::Hears(super::tests::sealed(inner))
        };
        let story = |end: u64| {
            vec![
                Event::Hears(pointer(1, 1, |_| ())),
                rolling(2, Phase::Activate, |_| ()),
                hold(3),
                Event::CutOff(50),
                later(4),
                Event::Late(end),
            ]
        };
        let host = check(&story(59), || Host::new(None, None), &format!("{held:?}"));
        assert_eq!((host.current, host.results.get(&(4, bundle(2)))), (Some(bundle(2)), Some(&1)));
        let host = check(&story(60), || Host::new(None, None), &format!("{held:?}, too late"));
        assert_eq!(host.current, Some(bundle(1)));
    }
}

#[test]
fn f01_a_newer_pointer_may_come_at_any_moment_of_an_older_one() {
    let (older, newer) = (pointer(1, 1, |_| ()), pointer(2, 2, |_| ()));
    for reload_fails in [None, Some(1), Some(2)] {
        for kill in 0..12 {
            let mut host = Host::new(None, reload_fails);
            host.left = kill;
            let killed = host.run(Some(&older)).is_err();
            host.left = usize::MAX;
            assert!(host.run(Some(&newer)).is_ok(), "the power stays on");
            assert_eq!(host.results.get(&(2, bundle(2))), Some(&1), "ONCE, killed after {kill}: {killed}");
            // Where the older one never got as far as a switch, there is nothing to go back to.
            let goes_back = reload_fails == Some(2) && host.results.contains_key(&(1, bundle(1)));
            let end = bundle(if goes_back { 1 } else { 2 });
            assert_eq!(host.current, Some(end), "CONVERGE, killed after {kill}: {killed}");
        }
    }
}
