//! What the play measured, and whether every promise was kept: what `--json` prints.

use std::collections::BTreeMap;
use std::time::Instant;

use schema::CommitId;
use serde::Serialize;

use crate::exit::{Code, Failure, Outcome};

/// Everything that was measured. Who ran what is read from the agents' own folders and words.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    /// How many agents ran.
    pub(super) agents: usize,
    /// How many regions they were spread over.
    pub(super) regions: usize,
    /// Agents that run the good change, after all its waves.
    pub(super) good_applied: usize,
    /// Agents that said in `prepare` that they would fail.
    pub(super) prepare_failures: usize,
    /// Agents that switched to that commit all the same; anything but zero breaks a promise.
    pub(super) prepare_switched: usize,
    /// The commit that `prepare` caught.
    pub(super) caught_commit: Option<CommitId>,
    /// The most agents that ran the commit whose `reload` fails at one time.
    pub(super) peak_on_bad: usize,
    /// Agents that ran it at any time.
    pub(super) ever_on_bad: usize,
    /// How many agents its first wave may reach.
    pub(super) wave_cap: usize,
    /// Whether every pointer and every agent is back at what was good.
    pub(super) rolled_back: bool,
    /// The commit that stays blocked for it.
    pub(super) blocked_commit: Option<CommitId>,
    /// Why, as `driftless rollout status` says it.
    pub(super) blocked_why: String,
    /// Bundle bytes that `git revert` cost, all agents together.
    pub(super) revert_bundle_bytes: u64,
    /// From the freeze command to the last region's pointer saying so, in milliseconds.
    pub(super) freeze_ms: u64,
    /// Agents that switched while all was frozen; anything but zero breaks a promise.
    pub(super) frozen_switched: usize,
    /// Agents that came back from quarantine by themselves.
    pub(super) released: usize,
    /// How long each act took, in seconds.
    pub(super) seconds: BTreeMap<&'static str, f64>,
    /// Promises that were not kept, in words; empty when all is well.
    pub(super) broken: Vec<String>,
}

impl Figures {
    /// Notes how long an act took.
    pub(super) fn took(&mut self, act: &'static str, begun: Instant) {
        self.seconds.insert(act, begun.elapsed().as_secs_f64());
    }

    /// Notes a promise that was not kept.
    pub(super) fn promise(&mut self, kept: bool, what: impl Into<String>) {
        if !kept {
            self.broken.push(what.into());
        }
    }

    /// An error where a promise was not kept.
    pub(super) fn judge(&self) -> Outcome {
        if self.broken.is_empty() {
            return Ok(());
        }
        let broken = self.broken.join("; ");
        Err(Failure::new(Code::Unexpected, format!("not every promise was kept: {broken}")).hint("this is a bug"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_promise_is_enough_to_fail() {
        let mut figures = Figures::default();
        figures.promise(true, "kept");
        assert!(figures.judge().is_ok());
        figures.promise(false, "nobody switches in prepare");
        assert!(figures.judge().is_err_and(|failure| failure.in_words().contains("nobody switches")));
    }
}
