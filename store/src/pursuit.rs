//! Follows a conditional write up until its outcome is known.
//!
//! In: a write that was tried once and not simply done. Out: its [`Outcome`], or the failure that kept it from being
//! learnt in [`RESOLVE_WITHIN`](crate::RESOLVE_WITHIN). What follows from which answer is decided in `reaction.rs`; this
//! reads, waits, and writes again when told to.

use bytes::Bytes;
use schema::{Limits, StorePath};
use tracing::debug;

use crate::Store;
use crate::error::Failure;
use crate::patience::Patience;
use crate::reaction::{Answer, Reaction, Shown, react};
use crate::read::{Object, Read};

/// What became of a conditional write.
pub(crate) enum Outcome {
    /// Our bytes stand there, as the storage itself told.
    Done,
    /// Our bytes stand there, as a read showed: this write or an earlier one was theirs.
    Stands,
    /// Something else stands there, or nothing where something had been seen.
    Beaten(Option<Object>),
}

/// One write on its way to a known outcome.
pub(crate) struct Pursuit<'a> {
    store: &'a Store,
    path: &'a StorePath,
    bytes: &'a Bytes,
    /// What stood there when the caller made its plan.
    seen: Option<&'a Object>,
    /// What stood there at the last read.
    standing: Option<Object>,
    answer: Answer,
    shown: Shown,
    /// The newest failure, reported if the outcome stays unknown.
    last: Failure,
    patience: Patience,
}

impl<'a> Pursuit<'a> {
    /// Takes over after the first try ended in `failure`.
    pub(crate) fn after(
        failure: Failure,
        store: &'a Store,
        path: &'a StorePath,
        bytes: &'a Bytes,
        seen: Option<&'a Object>,
    ) -> Pursuit<'a> {
        let answer = answer(&failure);
        let patience = Patience::new();
        Pursuit { store, path, bytes, seen, standing: None, answer, shown: Shown::NotYet, last: failure, patience }
    }

    pub(crate) async fn run(mut self) -> Result<Outcome, Failure> {
        loop {
            let reaction = react(self.answer, self.shown);
            debug!(store = %self.store, object = %self.path, ?reaction, failure = %self.last, "Followed up a write");
            match reaction {
                Reaction::Succeed if self.answer == Answer::Done => return Ok(Outcome::Done),
                Reaction::Succeed => return Ok(Outcome::Stands),
                Reaction::Yield => return Ok(Outcome::Beaten(self.standing)),
                Reaction::Fail => return Err(self.last),
                // The first look comes at once; whatever is done a second time waits for its turn.
                Reaction::Read | Reaction::Write if self.shown != Shown::NotYet && !self.patience.pause().await => {
                    return Err(Failure::Unknown { waited: self.patience.waited(), last: Box::new(self.last) });
                }
                Reaction::Read => self.read().await,
                Reaction::Write => self.write().await,
            }
        }
    }

    async fn read(&mut self) {
        // Ours may be there even if it is larger than it ought to be.
        let max_bytes = self.path.max_bytes(&Limits::DEFAULT).max(self.bytes.len() as u64);
        match self.store.fetch(self.path, max_bytes, None).await {
            Ok(Read::Object(object)) => {
                self.shown = match self.seen {
                    _ if object.bytes == *self.bytes => Shown::Ours,
                    Some(seen) if object.bytes == seen.bytes => Shown::AsSeen,
                    _ => Shown::Other,
                };
                self.standing = Some(object);
            }
            Ok(Read::Absent | Read::Unchanged) => {
                self.shown = if self.seen.is_none() { Shown::AsSeen } else { Shown::Other };
                self.standing = None;
            }
            Err(failure) => {
                self.shown = if failure.is_retryable() { Shown::Silence } else { Shown::Refusal };
                self.last = failure;
            }
        }
    }

    /// Writes again in the place of what was just read; its ETag may have changed though its bytes did not.
    async fn write(&mut self) {
        self.shown = Shown::NotYet;
        match self.store.put(self.path, self.bytes, self.standing.as_ref()).await {
            Ok(()) => self.answer = Answer::Done,
            Err(failure) => {
                self.answer = answer(&failure);
                self.last = failure;
            }
        }
    }
}

fn answer(failure: &Failure) -> Answer {
    match failure {
        Failure::Contested(_) => Answer::Contested,
        failure if failure.is_retryable() => Answer::Silent,
        _ => Answer::Refused,
    }
}

#[cfg(test)]
mod tests;
