//! How far a rollout is as a whole.

use serde::{Deserialize, Serialize};

use crate::digest::CommitId;
use crate::time::Timestamp;

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Stage {
    /// It has its number and nothing is pointed: it waits for a window, or until it knows how many agents there are.
    Waiting {
        /// Since when.
        since: Timestamp,
    },
    /// Agents get the candidate ready: first those of the first wave, then all.
    Preparing {
        /// Whether all of them are asked by now.
        everyone: bool,
        /// Since when, without the time that it stood still.
        since: Timestamp,
    },
    /// Agents of this wave and of those before it run the candidate.
    Wave {
        /// Counting from zero, in the policy's order.
        index: usize,
        /// Since when, without the time that it stood still.
        since: Timestamp,
    },
    /// Nothing more comes of it.
    Ended(End),
}

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum End {
    /// It is stable in all its regions.
    Complete,
    /// A gate said no. The commit's bundles stay blocked until something else supersedes them.
    Failed {
        /// Which gate, where, and what it counted.
        why: Box<str>,
    },
    /// An operator gave it up, or moved a region by hand. Blocked as well.
    Aborted {
        /// Who, and why.
        why: Box<str>,
    },
    /// A newer commit, or the revert of this one, took its place.
    Superseded {
        /// That commit.
        by: CommitId,
    },
}
