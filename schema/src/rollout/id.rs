//! Which rollout of an app.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Counts the rollouts of one app, from 1. Written with ten digits in paths, so that a listing sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RolloutId(u64);

impl RolloutId {
    /// The first rollout of an app.
    pub const FIRST: RolloutId = RolloutId(1);

    /// The number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The one after.
    pub fn next(self) -> RolloutId {
        RolloutId(self.0.saturating_add(1))
    }

    /// As it stands in a path.
    pub fn padded(self) -> String {
        format!("{:010}", self.0)
    }
}

impl fmt::Display for RolloutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Says that a text is not the number of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the number of a rollout", .0.escape_debug())]
pub struct InvalidRolloutId(String);

impl FromStr for RolloutId {
    type Err = InvalidRolloutId;

    fn from_str(text: &str) -> Result<Self, InvalidRolloutId> {
        let number = text.parse().ok().filter(|number| *number > 0);
        number.map(RolloutId).ok_or_else(|| InvalidRolloutId(text.chars().take(32).collect()))
    }
}
