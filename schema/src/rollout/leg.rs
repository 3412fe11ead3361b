//! One region's part of a rollout.

use serde::{Deserialize, Serialize};

use super::Share;
use crate::digest::CommitId;
use crate::order::Order;
use crate::pointer::Target;
use crate::time::Timestamp;

/// What a rollout brings to one region, and how far it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// The stable bundle when the rollout began: where it goes back to.
    pub from: Target,
    /// The commit that brought it.
    pub from_commit: CommitId,
    /// The bundle that is rolled out.
    pub to: Target,
    /// The region's newest pointer when this place was decided: whoever finds a later generation that says something else
    /// knows that another hand moved it.
    pub based_on: Order,
    /// How far it is.
    pub place: Place,
    /// Agents that were alive, and not in quarantine, when the rollout began here. Silence cannot make them fewer.
    pub fleet: u64,
    /// What the share of each wave comes to here, in the policy's order, so that it means no more of those agents than it
    /// says, and at least one; empty: the policy's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<Share>,
}

/// How far a rollout is in one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Place {
    /// Nothing was pointed yet.
    Untouched,
    /// The candidate is pointed: agents prepare it, or run it by waves.
    Candidate {
        /// Agents that were meant by the newest wave when it began; never fewer than this many are asked for their yes.
        expected: u64,
        /// When the newest wave began, by the clock; none while agents only prepare. Their spread is counted from it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        begun: Option<Timestamp>,
        /// Whether its agents may stay on the candidate for good: the gate or an operator said so.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        confirmed: bool,
        /// Since when the gate is satisfied, without a break that was noticed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        met: Option<Timestamp>,
    },
    /// It is the stable bundle.
    Stable,
    /// The region went back to what it had.
    Back {
        /// Why, in one line.
        why: Box<str>,
    },
}
