//! The trust root: the signed, versioned list of who may sign what.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::keys::RoleKeys;
use crate::limits::Limits;
use crate::name::Region;
use crate::order::Epoch;
use crate::seal::{Document, SealError, Sealed, Verified};
use crate::time::Timestamp;

/// Keys and thresholds of each role, and what is no longer accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustRoot {
    /// Grows by exactly one from root to root.
    pub version: u64,
    /// Grows when pointer keys were stolen and generations start anew.
    pub epoch: Epoch,
    /// When it was signed.
    pub issued: Timestamp,
    /// From when on agents hold.
    pub expires: Timestamp,
    /// Manifests with a lower `release_seq` are refused.
    pub release_floor: u64,
    /// Bundles that are refused whoever signed them.
    #[serde(default)]
    pub revoked: Vec<Digest>,
    /// Signs trust roots.
    pub root: RoleKeys,
    /// Signs manifests.
    pub release: RoleKeys,
    /// Signs pointers of every region that has no keys of its own.
    pub pointer: RoleKeys,
    /// Signs the pointers of one region.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pointer_of_region: BTreeMap<Region, RoleKeys>,
}

impl TrustRoot {
    /// The keys that sign pointers of `region`.
    pub fn pointer_keys(&self, region: &Region) -> &RoleKeys {
        self.pointer_of_region.get(region).unwrap_or(&self.pointer)
    }

    /// Whether it no longer counts at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires
    }
}

impl Verified<TrustRoot> {
    /// Opens a root that was handed over by a trusted hand (a file beside the agent's configuration). It must still be signed
    /// by the thresholds that it names itself.
    ///
    /// # Errors
    /// [`SealError`] where it is no trust root or does not carry its own signatures.
    pub fn pin(bytes: Bytes, limits: &Limits) -> Result<Verified<TrustRoot>, SealError> {
        let sealed = Sealed::parse::<TrustRoot>(bytes, limits)?;
        let role = sealed.believed::<TrustRoot>()?.root;
        sealed.verify(&role)
    }

    /// Opens the root after this one: signed by the thresholds of this root and of itself, its version exactly one higher,
    /// its epoch not lower.
    ///
    /// # Errors
    /// [`NotSuccessor`] names the rule that it breaks.
    pub fn successor(&self, bytes: Bytes, limits: &Limits) -> Result<Verified<TrustRoot>, NotSuccessor> {
        let next = Verified::<TrustRoot>::open(bytes, &self.root, limits).map_err(NotSuccessor::OldKeys)?;
        if Some(next.version) != self.version.checked_add(1) {
            return Err(NotSuccessor::Version { offered: next.version, current: self.version });
        }
        if next.epoch < self.epoch {
            return Err(NotSuccessor::Epoch { offered: next.epoch, current: self.epoch });
        }
        Verified::open(next.bytes().clone(), &next.root, limits).map_err(NotSuccessor::NewKeys)
    }
}

impl Document for TrustRoot {
    const TYPE: &'static str = "driftless/root/1";

    fn max_bytes(limits: &Limits) -> u64 {
        limits.root_max_bytes
    }

    fn trusted_comment(&self, payload: Digest) -> String {
        format!("root v{} e{} {payload}", self.version, self.epoch)
    }

    fn check(&self) -> Result<(), String> {
        if self.version == 0 {
            return Err("versions start at 1".to_owned());
        }
        if self.expires <= self.issued {
            return Err(format!("it expires at {}, not after it was issued at {}", self.expires, self.issued));
        }
        Ok(())
    }
}

/// Says why a trust root may not follow the one in force.
#[derive(Debug, thiserror::Error)]
pub enum NotSuccessor {
    /// The root in force does not vouch for it.
    #[error("not signed by the root in force")]
    OldKeys(#[source] SealError),
    /// It does not meet its own threshold.
    #[error("not signed by its own keys")]
    NewKeys(#[source] SealError),
    /// A version was skipped, repeated or lowered.
    #[error("version {offered} does not follow version {current}")]
    Version {
        /// As offered.
        offered: u64,
        /// In force.
        current: u64,
    },
    /// The epoch went back.
    #[error("epoch {offered} is below epoch {current}")]
    Epoch {
        /// As offered.
        offered: Epoch,
        /// In force.
        current: Epoch,
    },
}
