//! The ack: an agent's answer about one generation.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::limits::Limits;
use crate::name::{AgentId, App, Region};
use crate::order::{Epoch, Generation};
use crate::time::Timestamp;

/// What came of one generation on one host.
///
/// Safe to repeat: an ack is about (agent, app, region, epoch, generation), and the newest `at` counts.
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
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Applied => "applied",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Stale => "stale",
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
        })
    }
}

/// The body of `POST /v1/acks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckBatch {
    /// Always [`AckBatch::TYPE`].
    #[serde(rename = "type")]
    kind: String,
    /// In no particular order.
    pub acks: Vec<Ack>,
}

impl AckBatch {
    /// The `type` of the body.
    pub const TYPE: &'static str = "driftless/acks/1";

    /// Wraps acks for sending.
    pub fn new(acks: Vec<Ack>) -> AckBatch {
        AckBatch { kind: AckBatch::TYPE.to_owned(), acks }
    }

    /// The largest body a gateway reads.
    pub fn max_bytes(limits: &Limits) -> u64 {
        limits.ack_max_bytes * limits.acks_per_batch_max as u64
    }

    /// Writes the body.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("acks have string keys")
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`InvalidAcks`] where it is not JSON of this shape, of another type, or holds too many or too long acks.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<AckBatch, InvalidAcks> {
        if body.len() as u64 > AckBatch::max_bytes(limits) {
            return Err(InvalidAcks::TooLarge { max_bytes: AckBatch::max_bytes(limits) });
        }
        let batch: AckBatch = serde_json::from_slice(body).map_err(InvalidAcks::Shape)?;
        if batch.kind != AckBatch::TYPE {
            return Err(InvalidAcks::Type { found: batch.kind.chars().take(64).collect() });
        }
        if batch.acks.len() > limits.acks_per_batch_max {
            return Err(InvalidAcks::TooMany { max: limits.acks_per_batch_max });
        }
        // The reason is the one part of an ack that has no bound of its own.
        let reason_bytes = |ack: &&Ack| ack.reason.as_ref().map_or(0, |reason| reason.len() as u64);
        if let Some(long) = batch.acks.iter().find(|ack| reason_bytes(ack) > limits.ack_max_bytes) {
            return Err(InvalidAcks::TooLong { agent: long.agent.clone(), max_bytes: limits.ack_max_bytes });
        }
        Ok(batch)
    }
}

/// Says why a body is no batch of acks.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAcks {
    /// More bytes than the limit.
    #[error("more than {max_bytes} bytes of acks")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
    /// Not JSON of this shape.
    #[error("not a batch of acks")]
    Shape(#[source] serde_json::Error),
    /// Another document.
    #[error("its type is `{}`, expected `{}`", found.escape_debug(), AckBatch::TYPE)]
    Type {
        /// The type in the body.
        found: String,
    },
    /// One ack that is longer than the limit.
    #[error("the ack of agent `{agent}` has more than {max_bytes} bytes")]
    TooLong {
        /// Whose it is.
        agent: AgentId,
        /// The limit.
        max_bytes: u64,
    },
    /// More acks than the limit.
    #[error("more than {max} acks")]
    TooMany {
        /// The limit.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a46_one_ack_cannot_be_as_long_as_a_whole_batch() {
        let golden = include_bytes!("../golden/acks.json");
        let limits = Limits::DEFAULT;
        let mut batch = AckBatch::parse(golden, &limits).expect("the golden acks");
        let mut parse = |length: u64| {
            batch.acks[0].reason = Some("x".repeat(length as usize).into());
            AckBatch::parse(&batch.to_json(), &limits)
        };
        assert!(parse(limits.ack_max_bytes / 2).is_ok());
        let refused = parse(limits.ack_max_bytes + 1).expect_err("too long");
        assert_eq!(refused.to_string(), "the ack of agent `web-0173` has more than 4096 bytes");
    }
}
