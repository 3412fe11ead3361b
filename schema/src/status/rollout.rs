//! A rollout as people, dashboards and pipelines see it.

use serde::{Deserialize, Serialize};

use crate::digest::{CommitId, Digest};
use crate::name::{App, Region};
use crate::order::{Epoch, Generation};
use crate::pointer::Cause;
use crate::rollout::{Place, RolloutId, Share, Stage};
use crate::time::Timestamp;

/// One rollout, and what its agents say of it right now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutStatus {
    /// Whose configuration.
    pub app: App,
    /// Which rollout.
    pub id: RolloutId,
    /// The commit that is rolled out.
    pub commit: CommitId,
    /// The name of its policy.
    pub policy: Box<str>,
    /// How many waves there are.
    pub waves: usize,
    /// How far it is.
    pub stage: Stage,
    /// Who holds it, if somebody does.
    #[serde(default)]
    pub paused: Option<Cause>,
    /// What it waits for, in one line: a window, a freeze, agents to be counted, a gate.
    #[serde(default)]
    pub waits_for: Option<String>,
    /// When it began.
    pub began: Timestamp,
    /// When its newest state was decided.
    pub at: Timestamp,
    /// Who or what led to that state.
    pub cause: Cause,
    /// Whether the commit is blocked until something else supersedes it.
    pub blocked: bool,
    /// Region by region.
    pub regions: Vec<LegStatus>,
}

/// One region of a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegStatus {
    /// Which region.
    pub region: Region,
    /// How far it is there.
    pub place: Place,
    /// The bundle that is rolled out.
    pub digest: Digest,
    /// The generation that gates count by.
    pub epoch: Epoch,
    /// The generation that gates count by.
    pub generation: Generation,
    /// The share of agents that the newest wave means.
    pub share: Share,
    /// Agents that are alive and not in quarantine.
    pub live: u64,
    /// Agents that are meant by the wave, or are to prepare.
    pub expected: u64,
    /// Of those: how many prepared it.
    pub prepared: u64,
    /// Of those: how many said that they cannot.
    pub unprepared: u64,
    /// Of those: how many run it.
    pub applied: u64,
    /// Of those: how many it failed on.
    pub failed: u64,
    /// Of those: how many said nothing about this generation yet.
    pub silent: u64,
    /// Agents in quarantine.
    pub quarantined: u64,
    /// Who failed and what they say, the first few texts; untrusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Box<str>>,
}
