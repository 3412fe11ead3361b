//! The pointer: the tiny signed file that says which bundle a region runs. The one object of a store that changes.

mod assignment;
mod candidate;
mod cause;

use serde::{Deserialize, Serialize};

use crate::digest::{CommitId, Digest};
use crate::limits::Limits;
use crate::name::{AgentId, App, Region};
use crate::order::{Epoch, Generation, Order, Serial};
use crate::seal::Document;
use crate::time::Timestamp;

pub use assignment::{Assignment, Member, Run, slot};
pub use candidate::{Candidate, FULL_SHARE, Phase, Selector, Slice};
pub use cause::{Cause, Deed};

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
    /// Who made this generation, and why, where it was not simply the next commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// A bundle, named by its digest and by the manifest that vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The bundle.
    pub digest: Digest,
    /// Payload digest of its manifest.
    pub manifest: Digest,
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

    /// Whether any agent may be told to run or to get ready the bundle.
    pub fn names(&self, digest: &Digest) -> bool {
        self.stable.digest == *digest || self.candidate.as_ref().is_some_and(|it| it.target.digest == *digest)
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
        if let Some(candidate) = &self.candidate {
            candidate.check()?;
        }
        Ok(())
    }
}
