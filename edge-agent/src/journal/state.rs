//! What all records of a journal together say: a pure fold.

use schema::ack::{Active, Outcome, Step};
use schema::{Ack, Digest, Order, Seen, Timestamp, cycle};
use serde::{Deserialize, Serialize};

use super::{Applied, Bad, Intent, Record, Until};

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
    /// Bundles that a hook refused and that have not gone through since, oldest first.
    pub bad: Vec<Bad>,
    /// The result of the newest generation that has one.
    pub settled: Option<Ack>,
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
                self.seen = Some(*seen);
                self.until = *until;
                // Not the latest of all: a publisher whose clock was once ahead would be taken for expired until then.
                self.floor = Some(*issued);
            }
            Record::Intent(intent) => self.intent = Some(*intent),
            Record::Applied(applied) => {
                self.applied = Some(*applied);
                self.remember(applied.intent.target);
            }
            Record::Bad(bad) => {
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

    /// The result of the generation of `order`, if it has one.
    pub fn result_of(&self, order: Order) -> Option<&Ack> {
        self.settled.as_ref().filter(|ack| is_about(ack, order))
    }

    /// What was told last, if it was about the generation of `order`.
    pub fn told_of(&self, order: Order) -> Option<&Ack> {
        self.told.as_ref().filter(|ack| is_about(ack, order))
    }

    /// The verdict of a hook on the attempt at the generation of `order`, if there was one.
    pub fn bad_at(&self, order: Order) -> Option<&Bad> {
        self.bad.iter().find(|bad| bad.applied.intent.order.same_generation(order))
    }

    /// Whether a hook refused the bundle and it has not gone through since.
    pub fn is_bad(&self, digest: &Digest) -> bool {
        self.bad.iter().any(|bad| bad.applied.intent.target == *digest)
    }

    fn fold_ack(&mut self, ack: &Ack) {
        if settles(ack) {
            self.settled = Some(ack.clone());
        }
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

    fn remember(&mut self, digest: Digest) {
        self.history.retain(|other| *other != digest);
        self.history.push(digest);
        drop_oldest(&mut self.history);
    }
}

/// Whether nothing more is tried for the generation after `ack`: it runs, or a hook refused it. Bytes and disks can get
/// better, so what fails because of them is tried again.
pub(crate) fn settles(ack: &Ack) -> bool {
    match ack.outcome {
        Outcome::Applied => true,
        Outcome::Failed => matches!(ack.step, Some(Step::Check | Step::Reload | Step::Probe)),
        Outcome::Refused | Outcome::Stale | Outcome::Prepared | Outcome::Unprepared => false,
    }
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
