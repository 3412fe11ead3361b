//! What can be changed from one trust root to the next.

use schema::keys::InvalidRole;
use schema::{Digest, PublicKey};

use super::{BrokenRule, RoleName};

/// One change. Several make one draft, and their order does not matter: keys are added before others are removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A key joins a role; a region's first key gives the region a role of its own.
    Add {
        /// The role.
        role: RoleName,
        /// The key.
        key: PublicKey,
    },
    /// A key leaves a role; with the last key of a region the region goes back to the keys of the `pointer` role.
    Remove {
        /// The role.
        role: RoleName,
        /// The key.
        key: PublicKey,
    },
    /// A key leaves every role that it is in.
    Expel(PublicKey),
    /// How many keys of a role must sign.
    Threshold {
        /// The role.
        role: RoleName,
        /// At least one.
        threshold: usize,
    },
    /// Generations start anew, so that what a stolen pointer key signed is forgotten.
    BumpEpoch,
    /// Manifests with a lower `release_seq` are refused from now on.
    Floor(u64),
    /// A bundle is refused whoever signed it.
    Revoke(Digest),
}

/// Says why there is no such next root.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The key is in the role already.
    #[error("key {key} is in role {role} already")]
    Listed {
        /// The role.
        role: RoleName,
        /// The key.
        key: Box<PublicKey>,
    },
    /// The key is not in the role.
    #[error("key {key} is not in role {role}")]
    NotListed {
        /// The role.
        role: RoleName,
        /// The key.
        key: Box<PublicKey>,
    },
    /// The key is in no role.
    #[error("key {0} is in no role")]
    InNoRole(Box<PublicKey>),
    /// A threshold for a role that does not exist.
    #[error("role {0} has no keys")]
    NoKeys(RoleName),
    /// The role could not sign any more, or not be written.
    #[error("role {role} would be of no use")]
    Role {
        /// The role.
        role: RoleName,
        /// What is wrong with it.
        #[source]
        source: Box<InvalidRole>,
    },
    /// The bundle is revoked already.
    #[error("bundle {0} is revoked already")]
    Revoked(Digest),
    /// No number is left for the version or the epoch.
    #[error("the {0} cannot grow any more")]
    Exhausted(&'static str),
    /// The root would break a rule that every root has to keep.
    #[error(transparent)]
    Rule(#[from] BrokenRule),
}
