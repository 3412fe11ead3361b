//! What hosts remember, and what they do about a pointer: the agent's own journal and the agent's own decision.
//!
//! A journal takes a kilobyte, and a million hosts have few different ones: those that went through the same have the same. So a host is
//! the number of its *kin*, and whatever happens to it leads to another kin, which is folded once from the agent's own records.
//! What a journal says of times is then that of the pointer, or, where an agent counts the time from a switch, that second.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use edge_agent::decide::{self, Next, Situation};
use edge_agent::journal::{Applied, Bad, Intent, JournalState, Record, Until};
use schema::ack::{Active, Step};
use schema::name::Label;
use schema::pointer::Member;
use schema::time::Length;
use schema::{Ack, AgentId, App, Digest, Order, Outcome, Pointer, Region, Seen, Timestamp, TrustRoot, Verified};

/// Hosts that went through the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kin(u32);

/// All kin there are.
pub(crate) struct Hosts {
    kin: Vec<Host>,
    became: HashMap<(Kin, Turn), Kin>,
    /// Whose name stands in the journals; decisions do not read it there.
    anyone: AgentId,
    no_labels: BTreeMap<Label, Label>,
}

/// One host of a kin.
#[derive(Clone)]
pub(crate) struct Host {
    journal: JournalState,
    current: Option<Digest>,
    on_disk: BTreeSet<Digest>,
}

/// What happens to a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Turn {
    /// It accepts that pointer.
    Accepts {
        /// Its number in its region.
        version: u32,
        /// Whether it names this host among those who are held.
        held: bool,
    },
    /// It switched, and it did well.
    Runs(Attempt),
    /// It switched, and its probe said no, so it went back.
    Fails(Attempt),
    /// It has it ready.
    Readies(Attempt),
    /// It says without trying that it would not do.
    Declines(Attempt, Outcome),
    /// Its trial ended well.
    Confirmed(Digest),
    /// Its trial ended badly.
    GaveUp(Digest),
}

/// A bundle that a host tried because of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    pub(crate) order: Order,
    pub(crate) target: Digest,
    /// How long it may run without a confirmation, and when it was switched to.
    pub(crate) trial: Option<(Duration, Timestamp)>,
    pub(crate) issued: Timestamp,
}

impl Hosts {
    pub(crate) fn new() -> Hosts {
        let anyone = "host".parse().expect("a name");
        Hosts { kin: Vec::new(), became: HashMap::new(), anyone, no_labels: BTreeMap::new() }
    }

    /// The kin of hosts that run what the first pointer of their region names.
    pub(crate) fn settled(&mut self, pointer: &Verified<Pointer>) -> Kin {
        let mut host = Host { journal: JournalState::default(), current: None, on_disk: BTreeSet::new() };
        let (order, target, issued) = (pointer.order(), pointer.stable.digest, pointer.issued);
        host.goes(&Turn::Accepts { version: 0, held: false }, pointer, &self.anyone);
        host.goes(&Turn::Runs(Attempt { order, target, trial: None, issued }), pointer, &self.anyone);
        self.add(host)
    }

    pub(crate) fn host(&self, kin: Kin) -> &Host {
        &self.kin[kin.0 as usize]
    }

    /// How many kin there are.
    pub(crate) fn len(&self) -> usize {
        self.kin.len()
    }

    /// The kin of those to whom `turn` happens, the newest pointer in whose hands is `pointer`.
    pub(crate) fn goes(&mut self, kin: Kin, turn: Turn, pointer: &Verified<Pointer>) -> Kin {
        if let Some(known) = self.became.get(&(kin, turn.clone())) {
            return *known;
        }
        let mut host = self.host(kin).clone();
        host.goes(&turn, pointer, &self.anyone);
        let next = self.add(host);
        self.became.insert((kin, turn), next);
        next
    }

    /// What `agent`, a host of that kin, does next, and after how long to ask it again though it heard nothing.
    pub(crate) fn decide(
        &self,
        kin: Kin,
        agent: &AgentId,
        pointer: &Verified<Pointer>,
        root: &TrustRoot,
        now: Timestamp,
    ) -> (Next, Option<Duration>) {
        let Host { journal, current, on_disk } = self.host(kin);
        let situation = Situation {
            journal,
            current: *current,
            on_disk,
            pointer: Some(pointer),
            root,
            member: self.member(agent),
            now,
            watched: Duration::ZERO,
        };
        let next = decide::next(&situation);
        let again = matches!(next, Next::Nothing | Next::Hold(_)).then(|| decide::again_in(&situation)).flatten();
        (next, again)
    }

    /// The agent as waves see it: the fleet of a run has no labels.
    pub(crate) fn member<'a>(&'a self, agent: &'a AgentId) -> Member<'a> {
        Member { agent, labels: &self.no_labels }
    }

    fn add(&mut self, host: Host) -> Kin {
        self.kin.push(host);
        Kin(u32::try_from(self.kin.len() - 1).expect("no more kin than hosts"))
    }
}

impl Host {
    pub(crate) fn current(&self) -> Option<Digest> {
        self.current
    }

    pub(crate) fn on_disk(&self) -> &BTreeSet<Digest> {
        &self.on_disk
    }

    /// The newest pointer that was accepted.
    pub(crate) fn seen(&self) -> Option<&Seen> {
        self.journal.seen.as_ref()
    }

    /// Whether a hook refused that bundle here.
    pub(crate) fn has_refused(&self, bundle: &Digest) -> bool {
        self.journal.bad(bundle).is_some()
    }

    /// Appends to the journal what the agent's apply path would, in its order.
    fn goes(&mut self, turn: &Turn, pointer: &Verified<Pointer>, anyone: &AgentId) {
        let about = (anyone, &pointer.app, &pointer.region);
        match turn {
            Turn::Accepts { held, .. } => {
                let until = Until::of(pointer, anyone);
                let held = until.held.filter(|_| *held);
                let (seen, until) = (Seen::of(pointer), Some(Until { held, ..until }));
                self.journal.fold(&Record::Seen { seen, issued: pointer.issued, until });
            }
            Turn::Runs(attempt) => {
                let applied = self.switch(attempt);
                self.answer(about, &applied, Outcome::Applied, None);
            }
            Turn::Fails(attempt) => {
                let applied = self.switch(attempt);
                self.fall_back(about, applied, Step::Probe);
            }
            Turn::GaveUp(_) => {
                if let Some(trial) = self.journal.trial {
                    self.fall_back(about, trial.applied, Step::Confirm);
                }
            }
            Turn::Confirmed(digest) => self.journal.fold(&Record::Confirmed { digest: *digest }),
            Turn::Readies(attempt) => {
                self.on_disk.insert(attempt.target);
                let applied = self.unrecorded(attempt);
                self.answer(about, &applied, Outcome::Prepared, None);
            }
            Turn::Declines(attempt, outcome) => {
                let applied = self.unrecorded(attempt);
                self.answer(about, &applied, *outcome, Some(Step::Confirm));
            }
        }
    }

    fn unrecorded(&self, attempt: &Attempt) -> Applied {
        let Attempt { order, target, trial, issued } = *attempt;
        let previous = self.journal.way_back(self.current, &target);
        let confirm_within = trial.map(|(within, _)| Length(within));
        let intent = Intent { order, target, previous, notified_at: issued, decided_at: None, confirm_within };
        Applied { intent, bundle_bytes: 0, at: trial.map_or(issued, |(_, at)| at) }
    }

    fn switch(&mut self, attempt: &Attempt) -> Applied {
        let applied = self.unrecorded(attempt);
        self.journal.fold(&Record::Intent(applied.intent));
        self.current = Some(attempt.target);
        self.on_disk.insert(attempt.target);
        self.journal.fold(&Record::Applied(applied));
        applied
    }

    fn fall_back(&mut self, about: (&AgentId, &App, &Region), applied: Applied, step: Step) {
        self.journal.fold(&Record::Bad(Bad { applied, step, reason: REASON.into() }));
        self.current = applied.intent.previous.or(self.current);
        self.answer(about, &applied, Outcome::Failed, Some(step));
    }

    fn answer(
        &mut self,
        (agent, app, region): (&AgentId, &App, &Region),
        applied: &Applied,
        outcome: Outcome,
        step: Option<Step>,
    ) {
        let Intent { order, target, previous, notified_at, .. } = applied.intent;
        let failures = match outcome {
            Outcome::Failed => self.journal.failures + 1,
            Outcome::Applied => 0,
            _ => self.journal.failures,
        };
        let active = self.current.map(|digest| Active { digest, epoch: order.epoch, generation: order.generation });
        let ack = Ack {
            agent: agent.clone(),
            app: app.clone(),
            region: region.clone(),
            epoch: order.epoch,
            generation: order.generation,
            attempted: target,
            outcome,
            active,
            previous,
            notified_at,
            at: applied.at,
            bundle_bytes: 0,
            step,
            reason: step.map(|_| REASON.into()),
            labels: BTreeMap::new(),
            failures,
        };
        let (epoch, generation, at) = (ack.epoch, ack.generation, ack.at);
        self.journal.fold(&Record::Outcome { ack });
        self.journal.fold(&Record::Acked { epoch, generation, at });
        // Only the last few versions are kept.
        let kept = self.journal.history.iter().rev().take(KEPT).chain(self.current.as_ref());
        let kept: BTreeSet<Digest> = kept.copied().chain(self.journal.prepared()).collect();
        self.on_disk.retain(|digest| kept.contains(digest));
    }
}

/// What hosts say that refuse the bundle of a commit that fails.
pub(crate) const REASON: &str = "probe: it does not come up";

/// Versions that an agent keeps, `keep` in its configuration.
const KEPT: usize = 5;
