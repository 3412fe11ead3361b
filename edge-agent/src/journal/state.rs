//! What all records of a journal together say: a pure fold.

use schema::ack::{Active, Outcome, Step};
use schema::{Ack, Digest, Order, Seen, Timestamp, cycle};
use serde::{Deserialize, Serialize};

use super::{Applied, Bad, Intent, Record, Trial, Until};

/// What this host knows about one app, whatever happened in between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalState {
    /// The newest pointer that was accepted.
    pub seen: Option<Seen>,
    /// When the newest pointer that was accepted was signed: a clock that is behind it is wrong.
    pub floor: Option<Timestamp>,
    /// How long the newest pointer that was accepted counts.
    #[serde(default)]
    pub until: Option<Until>,
    /// What was begun last.
    pub intent: Option<Intent>,
    /// The last switch.
    pub applied: Option<Applied>,
    /// A candidate that runs and waits for a confirmation.
    #[serde(default)]
    pub trial: Option<Trial>,
    /// Bundles that a hook refused, or nobody confirmed, and that have not gone through since, oldest first.
    pub bad: Vec<Bad>,
    /// What was refused last, until the result is told: the way back may not have been taken.
    #[serde(default)]
    pub verdict: Option<Bad>,
    /// The result of the newest generation that has one.
    pub settled: Option<Ack>,
    /// What came of the last bundle that was to be got ready, once that is settled.
    #[serde(default)]
    pub readied: Option<Ack>,
    /// Generations in a row that a hook refused.
    #[serde(default)]
    pub failures: u32,
    /// The last thing that was told, result or not.
    pub told: Option<Ack>,
    /// What ran when the last ack was made, and the generation that brought it.
    pub active: Option<Active>,
    /// The versions that were switched to, each once, the last one last.
    pub history: Vec<Digest>,
    /// Acks that were not answered yet: the last one of each generation, oldest first.
    pub unanswered: Vec<Ack>,
}

impl JournalState {
    /// Adds what `record` says.
    pub fn fold(&mut self, record: &Record) {
        match record {
            Record::Seen { seen, issued, until } => {
                // Nobody could confirm anything to an agent that was told to stay as it is.
                let was_held = self.until.is_some_and(|until| until.held.is_some());
                if let Some(trial) = self.trial.as_mut().filter(|_| was_held) {
                    trial.since = trial.since.max(*issued);
                }
                self.seen = Some(*seen);
                self.until = *until;
                // Not the latest of all: a publisher whose clock was once ahead would be taken for expired until then.
                self.floor = Some(*issued);
            }
            Record::Intent(intent) => self.intent = Some(*intent),
            Record::Applied(applied) => {
                self.applied = Some(*applied);
                let within = applied.intent.confirm_within;
                self.trial = within.map(|within| Trial { applied: *applied, within, since: applied.at });
                self.remember(applied.intent.target);
            }
            Record::Confirmed { digest } => self.end_trial_of(digest),
            Record::Bad(bad) => {
                if bad.step != Step::Check {
                    self.end_trial_of(&bad.applied.intent.target);
                }
                self.verdict = Some(bad.clone());
                self.bad.retain(|other| other.applied.intent.target != bad.applied.intent.target);
                self.bad.push(bad.clone());
                drop_oldest(&mut self.bad);
            }
            Record::Outcome { ack } => self.fold_ack(ack),
            Record::Acked { epoch, generation, at } => {
                self.unanswered.retain(|ack| (ack.epoch, ack.generation) != (*epoch, *generation) || ack.at > *at);
            }
            Record::Snapshot { state } => self.clone_from(state),
        }
    }

    /// The time to go by: never before the newest pointer that was accepted was signed.
    pub fn time(&self, clock: Timestamp) -> Timestamp {
        cycle::time(clock, self.floor)
    }

    /// The result that `target` had in the generation of `order`, if it has one.
    pub fn result_of(&self, order: Order, target: &Digest) -> Option<&Ack> {
        self.settled.as_ref().filter(|ack| is_about(ack, order) && ack.attempted == *target)
    }

    /// What came of getting ready `target` in the generation of `order`, once that is settled.
    pub fn readied_in(&self, order: Order, target: &Digest) -> Option<&Ack> {
        self.readied.as_ref().filter(|ack| is_about(ack, order) && ack.attempted == *target)
    }

    /// The last word that stands until something changes, of those told so far.
    pub fn standing(&self) -> Option<&Ack> {
        // Of two acks the later one is never dated before the earlier.
        self.settled.iter().chain(&self.readied).max_by_key(|ack| ack.at)
    }

    /// What was told last, if it was about the generation of `order`.
    pub fn told_of(&self, order: Order) -> Option<&Ack> {
        self.told.as_ref().filter(|ack| is_about(ack, order))
    }

    /// The bundle that was got ready last, if the newest pointer still names it.
    pub fn prepared(&self) -> Option<Digest> {
        let ready = self.readied.as_ref().filter(|ack| ack.outcome == Outcome::Prepared)?.attempted;
        let until = self.until?;
        (until.stable == ready || until.candidate == Some(ready)).then_some(ready)
    }

    /// When what runs goes by itself unless somebody confirms it; nothing while the agent is to stay on it.
    pub fn confirm_by(&self) -> Option<Timestamp> {
        let is_held = self.until.is_some_and(|until| until.held.is_some());
        self.trial.filter(|_| !is_held).map(|trial| trial.since.after(trial.within.0))
    }

    /// Why the bundle was refused, if it was and has not gone through since.
    pub fn bad(&self, digest: &Digest) -> Option<&Bad> {
        self.bad.iter().find(|bad| bad.applied.intent.target == *digest)
    }

    fn fold_ack(&mut self, ack: &Ack) {
        if settles(ack) {
            self.settled = Some(ack.clone());
            self.verdict.take_if(|bad| {
                let intent = bad.applied.intent;
                is_about(ack, intent.order) && (ack.attempted, ack.step) == (intent.target, Some(bad.step))
            });
        }
        if settles_readiness(ack) {
            self.readied = Some(ack.clone());
        }
        self.failures = ack.failures;
        if ack.outcome == Outcome::Applied {
            self.bad.retain(|bad| bad.applied.intent.target != ack.attempted);
        }
        if let Some(active) = ack.active {
            self.remember(active.digest);
        }
        self.told = Some(ack.clone());
        self.active = ack.active;
        self.unanswered.retain(|other| (other.epoch, other.generation) != (ack.epoch, ack.generation));
        self.unanswered.push(ack.clone());
        drop_oldest(&mut self.unanswered);
    }

    fn end_trial_of(&mut self, digest: &Digest) {
        self.trial.take_if(|trial| trial.applied.intent.target == *digest);
    }

    fn remember(&mut self, digest: Digest) {
        self.history.retain(|other| *other != digest);
        self.history.push(digest);
        drop_oldest(&mut self.history);
    }
}

/// Whether nothing more is tried for the generation after `ack`: it runs, a hook refused it, or nobody confirmed it. Bytes and
/// disks can get better, so what fails because of them is tried again.
pub(crate) fn settles(ack: &Ack) -> bool {
    match ack.outcome {
        Outcome::Applied => true,
        Outcome::Failed => matches!(ack.step, Some(Step::Check | Step::Reload | Step::Probe | Step::Confirm)),
        Outcome::Refused | Outcome::Stale | Outcome::Prepared | Outcome::Unprepared => false,
    }
}

/// Whether what was to be got ready is ready, or will not be before a newer generation.
fn settles_readiness(ack: &Ack) -> bool {
    let for_good = matches!(ack.step, Some(Step::Check | Step::Reload | Step::Probe | Step::Confirm));
    ack.outcome == Outcome::Prepared || (ack.outcome == Outcome::Unprepared && for_good)
}

fn is_about(ack: &Ack, order: Order) -> bool {
    (ack.epoch, ack.generation) == (order.epoch, order.generation)
}

/// Keeps the journal small however long a host is cut off.
fn drop_oldest<T>(list: &mut Vec<T>) {
    let surplus = list.len().saturating_sub(REMEMBERED_MAX);
    list.drain(..surplus);
}

/// Versions, bad bundles and unanswered acks that are remembered.
pub(crate) const REMEMBERED_MAX: usize = 64;
