//! How a candidate that runs on trial ends: confirmed, or given up by the agent alone.
//!
//! It is the switch of a dead man. A configuration that cuts its host off from everybody is gone from it after its time, because
//! nobody could confirm it; so whether the time is over depends on nothing but the journal and the clock.

use std::time::Duration;

use schema::ack::{Outcome, Step};
use schema::pointer::Run;
use schema::{Digest, Order, Serial, Timestamp};

use super::{Next, Situation};
use crate::journal::{Applied, Bad, Intent, JournalState, Trial};

/// What ends the trial at hand, if something does. `run` is what a pointer that counts asks for.
pub(super) fn end(situation: &Situation<'_>, run: Option<Run>) -> Option<Next> {
    let journal = situation.journal;
    let trial = journal.trial.as_ref().filter(|trial| situation.current == Some(trial.applied.intent.target))?;
    let digest = trial.applied.intent.target;
    if run.is_some_and(|run| confirms(run, &digest)) {
        return Some(Next::Confirm(digest));
    }
    // Whoever is told to stay as he is hears of no confirmation; his time goes on when that is over.
    let is_held = journal.until.is_some_and(|until| until.held.is_some());
    let is_over = journal.trial_left(situation.now, situation.watched).is_some_and(|left| left.is_zero());
    (is_over && !is_held).then(|| Next::GiveUp(unconfirmed(journal, trial)))
}

/// Whether it went from this host because nobody confirmed it, and has not gone through since.
///
/// Such a bundle is not tried again, not even by a newer generation: what cut off a host once would do so for as long again. It
/// is taken once it is confirmed, or stable.
pub(super) fn went_unconfirmed(journal: &JournalState, digest: &Digest) -> bool {
    journal.bad(digest).is_some_and(|bad| bad.step == Step::Confirm)
}

fn confirms(run: Run, digest: &Digest) -> bool {
    match run {
        Run::Stay | Run::Candidate { confirm_within: Some(_), .. } => false,
        Run::Stable(target) | Run::Candidate { target, confirm_within: None } => target.digest == *digest,
    }
}

/// The verdict, about the newest generation that was answered with what runs: that is the answer which it takes back.
fn unconfirmed(journal: &JournalState, trial: &Trial) -> Bad {
    let begun = trial.applied.intent;
    let answered =
        journal.settled.as_ref().filter(|ack| (ack.outcome, ack.attempted) == (Outcome::Applied, begun.target));
    let order = answered.map_or(begun.order, |ack| Order {
        epoch: ack.epoch,
        generation: ack.generation,
        serial: Serial::FIRST,
    });
    let reason = format!("nobody confirmed it within {}", String::from(trial.within)).into();
    Bad { applied: Applied { intent: Intent { order, ..begun }, ..trial.applied }, step: Step::Confirm, reason }
}

impl JournalState {
    /// What to go back to from `target`: what runs, or where that is on trial, what ran before it; nothing where that is `target`
    /// itself. An agent never falls back on what nobody confirmed.
    pub fn way_back(&self, current: Option<Digest>, target: &Digest) -> Option<Digest> {
        if current == Some(*target) {
            // Nothing is switched, and nothing will be to be switched back.
            return current;
        }
        let on_trial = self.trial.map(|trial| trial.applied.intent).filter(|intent| Some(intent.target) == current);
        match on_trial {
            Some(intent) => intent.previous.filter(|before| before != target),
            None => current,
        }
    }

    /// How much is left of the trial at hand, if there is one: zero when it is over.
    ///
    /// `watched` is for how long this run of the agent has watched it: a clock that was set back makes no trial longer than a
    /// restart does.
    pub fn trial_left(&self, now: Timestamp, watched: Duration) -> Option<Duration> {
        self.trial.map(|trial| trial.within.0.saturating_sub(now.since(trial.since).max(watched)))
    }
}
