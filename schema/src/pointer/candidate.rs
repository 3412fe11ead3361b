//! The bundle that is being rolled out, and to whom: the plan that agents follow by themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Target;
use crate::name::Label;
use crate::time::Timestamp;

/// A bundle on its way to being stable, and who takes it already.
///
/// The agents that take it are those of any slice: the newest wave's, which stands in the candidate itself, and those of
/// [`also`](Candidate::also). So a later wave always contains the earlier ones, whatever their labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The bundle.
    #[serde(flatten)]
    pub target: Target,
    /// Whether agents may switch to it or only get ready.
    pub phase: Phase,
    /// The newest wave.
    #[serde(flatten)]
    pub slice: Slice,
    /// Mixed into the hash that gives an agent its slot.
    pub salt: Box<str>,
    /// Over how many seconds the agents of a slice spread their switch, from its `not_before` on.
    #[serde(default)]
    pub spread_s: u32,
    /// After how many seconds without a confirmation agents go back by themselves; zero means never.
    #[serde(default)]
    pub confirm_within_s: u32,
    /// Earlier waves, and later ones whose time is set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Slice>,
}

/// Some of a region's agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// How many of ten thousand slots are in it.
    pub share: u16,
    /// Which agents are meant at all.
    #[serde(default)]
    pub when: Selector,
    /// Not before this moment. A slice that is activated names one: the spread is counted from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Whether its agents may stay on the candidate for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirmed: bool,
}

/// How far agents may go with a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Download, verify and check; do not switch.
    Prepare,
    /// Switch.
    Activate,
}

/// Agents by their labels; every label must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// Label by label.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Label, Label>,
}

impl Candidate {
    /// The newest wave's slice, then the others.
    pub fn slices(&self) -> impl Iterator<Item = &Slice> {
        std::iter::once(&self.slice).chain(&self.also)
    }

    /// How long agents wait for a confirmation, if they do.
    pub fn confirm_within(&self) -> Option<Duration> {
        (self.confirm_within_s > 0).then(|| Duration::from_secs(self.confirm_within_s.into()))
    }

    /// What the shape alone does not express.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.slices().any(|slice| slice.share > FULL_SHARE) {
            return Err(format!("a share is at most {FULL_SHARE} basis points"));
        }
        Ok(())
    }
}

impl Selector {
    /// Whether an agent with these labels is meant.
    pub fn matches(&self, labels: &BTreeMap<Label, Label>) -> bool {
        self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

/// All agents, in basis points.
pub const FULL_SHARE: u16 = 10_000;
