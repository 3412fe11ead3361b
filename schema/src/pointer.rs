//! The pointer: the tiny signed file that says which bundle a region runs. The one object of a store that changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::{CommitId, Digest};
use crate::limits::Limits;
use crate::name::{AgentId, App, Label, Region};
use crate::order::{Epoch, Generation, Order, Serial};
use crate::seal::Document;
use crate::time::Timestamp;

/// Which bundle one app runs in one region, and from when until when that statement counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// Whose configuration it is.
    pub app: App,
    /// Where it applies.
    pub region: Region,
    /// Equals the epoch of the trust root in force.
    pub epoch: Epoch,
    /// Grows with every change of what the region runs.
    pub generation: Generation,
    /// Grows with every freshness re-signing of the generation.
    pub serial: Serial,
    /// When it was signed.
    pub issued: Timestamp,
    /// From when on agents call it stale and apply nothing new from it.
    pub expires: Timestamp,
    /// The payload digest of the pointer before; absent on the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Digest>,
    /// W3C trace context of the publication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Box<str>>,
    /// The commit that this generation published; for a rollback, the commit whose bundle it goes back to.
    pub commit: CommitId,
    /// The bundle that everyone runs.
    pub stable: Target,
    /// The bundle that is being rolled out, and to whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Candidate>,
    /// Agents that stay on what they run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantine: Vec<AgentId>,
    /// Whether everyone stays on what they run.
    #[serde(default)]
    pub freeze: bool,
    /// Bundles that an operator took back by hand. They are not published again until a new one supersedes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<Digest>,
}

/// A bundle, named by its digest and by the manifest that vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The bundle.
    pub digest: Digest,
    /// Payload digest of its manifest.
    pub manifest: Digest,
}

/// A bundle on its way to being stable, and who takes it already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The bundle.
    #[serde(flatten)]
    pub target: Target,
    /// Whether agents may switch to it or only get ready.
    pub phase: Phase,
    /// How many of ten thousand slots take it.
    pub share: u16,
    /// Mixed into the hash that gives an agent its slot.
    pub salt: Box<str>,
    /// Which agents are meant at all.
    #[serde(default)]
    pub when: Selector,
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Over how many seconds the agents spread their switch.
    #[serde(default)]
    pub spread_s: u32,
    /// After how many seconds without a confirmation agents go back; zero means never.
    #[serde(default)]
    pub confirm_within_s: u32,
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
    #[serde(default)]
    pub labels: BTreeMap<Label, Label>,
}

/// What a pointer asks of an agent that does not take part in a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Run this bundle.
    Run(Target),
    /// Stay on whatever is running.
    Hold,
}

impl Pointer {
    /// Its place among all pointers of its app and region.
    pub fn order(&self) -> Order {
        Order { epoch: self.epoch, generation: self.generation, serial: self.serial }
    }

    /// Whether it no longer counts at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires
    }

    /// What `agent` is to do about the stable bundle.
    pub fn instruction(&self, agent: &AgentId) -> Instruction {
        if self.freeze || self.quarantine.contains(agent) { Instruction::Hold } else { Instruction::Run(self.stable) }
    }
}

impl Document for Pointer {
    const TYPE: &'static str = "driftless/pointer/1";

    fn max_bytes(limits: &Limits) -> u64 {
        limits.pointer_max_bytes
    }

    fn trusted_comment(&self, payload: Digest) -> String {
        format!("pointer {} {} {} {payload}", self.app, self.region, self.order())
    }

    fn check(&self) -> Result<(), String> {
        if self.expires <= self.issued {
            return Err(format!("it expires at {}, not after it was issued at {}", self.expires, self.issued));
        }
        if self.candidate.as_ref().is_some_and(|candidate| candidate.share > FULL_SHARE) {
            return Err(format!("a share is at most {FULL_SHARE} basis points"));
        }
        Ok(())
    }
}

/// All agents, in basis points.
pub const FULL_SHARE: u16 = 10_000;
