//! The ack: an agent's answer about one generation.

mod batch;
mod boot;
mod relay;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use batch::{AckBatch, InvalidAcks};
pub use boot::{Boot, InvalidBoot};
pub use relay::{InvalidRelay, Relay};

use crate::digest::Digest;
use crate::limits::Limits;
use crate::name::{AgentId, App, Label, Region};
use crate::order::{Epoch, Generation};
use crate::seal::Document;
use crate::time::Timestamp;

/// What came of one generation on one host.
///
/// Safe to repeat: an ack is about (agent, app, region, epoch, generation), and which of two is the later word says
/// [`SignedAck::is_after`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Who answers.
    pub agent: AgentId,
    /// About which app.
    pub app: App,
    /// In which region.
    pub region: Region,
    /// Epoch of the generation answered.
    pub epoch: Epoch,
    /// The generation answered.
    pub generation: Generation,
    /// The bundle that the generation asked for.
    pub attempted: Digest,
    /// What came of it.
    pub outcome: Outcome,
    /// What `current` resolves to now; absent before the first bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Active>,
    /// What `current` resolved to before the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// When the agent had the pointer, by its own clock.
    pub notified_at: Timestamp,
    /// When the answer was known, by its own clock.
    pub at: Timestamp,
    /// Bundle bytes that were fetched for it.
    pub bundle_bytes: u64,
    /// Where the attempt stopped; absent when it went through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    /// Why it stopped, in one short text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
    /// The agent's labels: which waves mean it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Label, Label>,
    /// How many generations in a row a hook has refused on this host, this one included.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The bundle that a host runs and the generation that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// The bundle.
    pub digest: Digest,
    /// Epoch of the generation that asked for it.
    pub epoch: Epoch,
    /// The generation that asked for it.
    pub generation: Generation,
}

/// What can come of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The host runs it.
    Applied,
    /// The bytes were not what was signed, or could not be had; nothing was switched.
    Refused,
    /// A hook or the host's disk said no; the host runs what it ran before, or, having run nothing before, what was attempted.
    Failed,
    /// The pointer expired before a newer one came; the host runs what it ran before.
    Stale,
    /// The bundle is on the disk, verified, and `check` agreed; it was not switched to, because nobody asked for that yet.
    Prepared,
    /// It could not be got ready, or `check` said no; nothing was switched.
    Unprepared,
}

/// Where on the apply path an attempt stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The pointer or the manifest did not verify.
    Verify,
    /// The bundle could not be had, or its size or sha256 is wrong.
    Fetch,
    /// The bundle could not be decompressed or unpacked, or is not what its digest says.
    Stage,
    /// The host's own disk refused.
    Disk,
    /// The `check` hook, before the switch.
    Check,
    /// The `reload` hook, after the switch.
    Reload,
    /// The `probe` hook, after the switch.
    Probe,
    /// Nobody confirmed the candidate in time, so the host went back by itself.
    Confirm,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Applied => "applied",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Stale => "stale",
            Outcome::Prepared => "prepared",
            Outcome::Unprepared => "unprepared",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Step::Verify => "verify",
            Step::Fetch => "fetch",
            Step::Stage => "stage",
            Step::Disk => "disk",
            Step::Check => "check",
            Step::Reload => "reload",
            Step::Probe => "probe",
            Step::Confirm => "confirm",
        })
    }
}

/// An ack as it is signed and sent: with its place among all that its agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedAck {
    /// The run of the agent that sent it.
    pub boot: Boot,
    /// Counts what was said in that run.
    pub n: u64,
    /// What is said.
    #[serde(flatten)]
    pub ack: Ack,
}

impl SignedAck {
    /// Whether this was said after `other`, by the same agent: within one run by the count, between runs by the clock.
    ///
    /// No order of many: where a clock was set back within a run, three words can go round in a circle. Whoever keeps the newest
    /// of all that comes, repeated in any order, keeps the last word of each run and compares those.
    pub fn is_after(&self, other: &SignedAck) -> bool {
        if self.boot == other.boot { self.n > other.n } else { self.ack.at > other.ack.at }
    }
}

impl Document for SignedAck {
    const TYPE: &'static str = "driftless/ack/1";

    fn max_bytes(limits: &Limits) -> u64 {
        limits.ack_max_bytes
    }

    fn trusted_comment(&self, payload: Digest) -> String {
        let Ack { agent, app, region, epoch, generation, .. } = &self.ack;
        format!("ack {agent} {app} {region} e{epoch} g{generation} {payload}")
    }
}
