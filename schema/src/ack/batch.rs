//! The body of `POST /v1/acks`: what one agent says, each statement sealed by its own key.
//!
//! ```text
//! {"type":"driftless/acks/2","key":"RWQ…"}       the sender's public key, in the first line
//! {"type":"driftless/ack/1","boot":…}            then five lines for each ack: the payload line
//! untrusted comment: …                           and its signature block
//! …
//! ```
//!
//! In: a body. Out: acks that the key in the first line signed, all of one agent. Whether that key is that agent's is for
//! whoever knows the agents to say.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::SignedAck;
use crate::keys::{PublicKey, RoleKeys};
use crate::limits::Limits;
use crate::name::AgentId;
use crate::seal::{SealError, Verified};

/// What one agent says, verified under the key that came with it.
#[derive(Clone, Debug)]
pub struct AckBatch {
    /// The key that signed every ack.
    pub key: PublicKey,
    /// Whom they are from.
    pub agent: AgentId,
    /// In the order in which they came; at least one.
    pub acks: Vec<Verified<SignedAck>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
    key: PublicKey,
}

impl AckBatch {
    /// The `type` of the body.
    pub const TYPE: &'static str = "driftless/acks/2";

    /// The largest body that is read.
    pub fn max_bytes(limits: &Limits) -> u64 {
        HEAD_MAX_BYTES + limits.ack_max_bytes * limits.acks_per_batch_max as u64
    }

    /// Writes a body, each ack sealed by `key`.
    #[cfg(feature = "sign")]
    pub fn seal(acks: impl IntoIterator<Item = SignedAck>, key: &crate::keys::SecretKey) -> Vec<u8> {
        let mut body = head_line(key.public());
        for ack in acks {
            body.extend_from_slice(Verified::seal(ack, &[key]).bytes());
        }
        body
    }

    /// Reads a body. Each ack is verified before it is parsed.
    ///
    /// # Errors
    /// [`InvalidAcks`] names the first thing that is wrong; then none of it counts.
    pub fn open(body: &Bytes, limits: &Limits) -> Result<AckBatch, InvalidAcks> {
        let max_bytes = AckBatch::max_bytes(limits);
        if body.len() as u64 > max_bytes {
            return Err(InvalidAcks::TooLarge { max_bytes });
        }
        let mut lines = Lines { body, at: 0 };
        let key = head(&lines.take(1))?;
        let role = RoleKeys::new(1, vec![key.clone()]).expect("one key meets a threshold of one");
        let mut acks: Vec<Verified<SignedAck>> = Vec::new();
        while lines.at < body.len() {
            if acks.len() == limits.acks_per_batch_max {
                return Err(InvalidAcks::TooMany { max: limits.acks_per_batch_max });
            }
            let number = acks.len() + 1;
            let opened = Verified::<SignedAck>::open(lines.take(LINES_PER_ACK), &role, limits);
            let opened = opened.map_err(|source| InvalidAcks::Ack { number, source })?;
            if let Some(first) = acks.first().filter(|first| first.ack.agent != opened.ack.agent) {
                let (one, other) = (first.ack.agent.clone(), opened.ack.agent.clone());
                return Err(InvalidAcks::TwoAgents { one, other });
            }
            acks.push(opened);
        }
        let agent = acks.first().ok_or(InvalidAcks::Empty)?.ack.agent.clone();
        Ok(AckBatch { key, agent, acks })
    }
}

/// The first line of a body that `key` signs.
pub(super) fn head_line(key: &PublicKey) -> Vec<u8> {
    let head = Head { kind: AckBatch::TYPE.to_owned(), key: key.clone() };
    let mut line = serde_json::to_vec(&head).expect("a head has string keys");
    line.push(b'\n');
    line
}

fn head(line: &[u8]) -> Result<PublicKey, InvalidAcks> {
    if line.len() as u64 > HEAD_MAX_BYTES {
        return Err(InvalidAcks::Head(None));
    }
    let head: Head = serde_json::from_slice(line).map_err(|error| InvalidAcks::Head(Some(error)))?;
    if head.kind == AckBatch::TYPE { Ok(head.key) } else { Err(InvalidAcks::Head(None)) }
}

/// What is left of a body.
struct Lines<'b> {
    body: &'b Bytes,
    at: usize,
}

impl Lines<'_> {
    /// The next `count` lines, or what there is of them.
    fn take(&mut self, count: usize) -> Bytes {
        let rest = &self.body[self.at..];
        let ends = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let length = ends.take(count).last().unwrap_or(rest.len());
        let from = self.at;
        self.at += length;
        self.body.slice(from..self.at)
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
    /// The first line is another type's, or names no key.
    #[error("the first line is not the head of `{}`", AckBatch::TYPE)]
    Head(#[source] Option<serde_json::Error>),
    /// An ack that the key of the first line did not sign, or that is none.
    #[error("ack {number} does not hold")]
    Ack {
        /// Counting from one.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: SealError,
    },
    /// Acks of more than one agent.
    #[error("acks of agent `{one}` and of agent `{other}` in one batch")]
    TwoAgents {
        /// Of the first ack.
        one: AgentId,
        /// Of a later one.
        other: AgentId,
    },
    /// More acks than the limit.
    #[error("more than {max} acks")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// A head alone.
    #[error("no ack")]
    Empty,
}

const HEAD_MAX_BYTES: u64 = 256;
/// A payload line and one signature block.
const LINES_PER_ACK: usize = 5;

#[cfg(all(test, feature = "sign"))]
mod tests;
