//! What is known of one agent: what gates count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ack::{Active, Outcome, Step};
use crate::digest::Digest;
use crate::name::{AgentId, Label};
use crate::order::{Epoch, Generation};
use crate::pointer::Member;
use crate::time::Timestamp;

/// The newest word of one agent about one app and region, from an ack whose signature by that agent's own key held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentReport {
    /// Who.
    pub agent: AgentId,
    /// Its labels, as it says itself.
    #[serde(default)]
    pub labels: BTreeMap<Label, Label>,
    /// When it was last heard, by the clock of whoever keeps the book.
    pub heard: Timestamp,
    /// Epoch of the generation it answered.
    pub epoch: Epoch,
    /// The generation it answered.
    pub generation: Generation,
    /// The bundle it was asked for.
    pub attempted: Digest,
    /// What came of it.
    pub outcome: Outcome,
    /// Where it stopped.
    #[serde(default)]
    pub step: Option<Step>,
    /// Why; untrusted text, one short line.
    #[serde(default)]
    pub reason: Option<Box<str>>,
    /// When, by its own clock.
    pub at: Timestamp,
    /// What it runs.
    #[serde(default)]
    pub active: Option<Active>,
    /// Generations in a row that failed on it.
    #[serde(default)]
    pub failures: u32,
}

impl AgentReport {
    /// The agent as waves tell agents apart.
    pub fn member(&self) -> Member<'_> {
        Member { agent: &self.agent, labels: &self.labels }
    }
}
