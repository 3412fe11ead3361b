//! What changed from one trust root to the next, in words that a signer can check.

use std::fmt;

use schema::{Digest, Epoch, PublicKey, Timestamp, TrustRoot};

use super::RoleName;

/// One difference between two roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A key is new in a role.
    Added {
        /// The role.
        role: RoleName,
        /// The key.
        key: PublicKey,
    },
    /// A key is no longer in a role.
    Removed {
        /// The role.
        role: RoleName,
        /// The key.
        key: PublicKey,
    },
    /// Another number must sign, of as many keys.
    Threshold {
        /// The role.
        role: RoleName,
        /// Threshold and number of keys before; nothing where the role is new.
        from: Option<(usize, usize)>,
        /// Threshold and number of keys now; nothing where the role is gone.
        to: Option<(usize, usize)>,
    },
    /// Generations start anew.
    Epoch {
        /// Before.
        from: Epoch,
        /// Now.
        to: Epoch,
    },
    /// Older releases are refused.
    Floor {
        /// Before.
        from: u64,
        /// Now.
        to: u64,
    },
    /// A bundle is refused.
    Revoked(Digest),
    /// A bundle is no longer refused.
    Restored(Digest),
    /// It counts until another day.
    Expires {
        /// Before.
        from: Timestamp,
        /// Now.
        to: Timestamp,
    },
}

/// Everything that `next` says otherwise than `before`, weightiest first.
pub fn differences(before: &TrustRoot, next: &TrustRoot) -> Vec<Difference> {
    let mut told = Vec::new();
    if before.epoch != next.epoch {
        told.push(Difference::Epoch { from: before.epoch, to: next.epoch });
    }
    if before.release_floor != next.release_floor {
        told.push(Difference::Floor { from: before.release_floor, to: next.release_floor });
    }
    let gone = RoleName::all_of(before).map(|(role, _)| role).filter(|role| keys_in(next, role).is_none());
    for role in RoleName::all_of(next).map(|(role, _)| role).chain(gone) {
        told.extend(in_role(&role, before, next));
    }
    let revoked = next.revoked.iter().filter(|digest| !before.revoked.contains(digest));
    told.extend(revoked.map(|digest| Difference::Revoked(*digest)));
    let restored = before.revoked.iter().filter(|digest| !next.revoked.contains(digest));
    told.extend(restored.map(|digest| Difference::Restored(*digest)));
    if before.expires != next.expires {
        told.push(Difference::Expires { from: before.expires, to: next.expires });
    }
    told
}

fn in_role(role: &RoleName, before: &TrustRoot, next: &TrustRoot) -> Vec<Difference> {
    let (old, new) = (keys_in(before, role), keys_in(next, role));
    let keys = |role: Option<&schema::RoleKeys>| role.map(|role| role.keys().to_vec()).unwrap_or_default();
    let size = |role: &schema::RoleKeys| (role.threshold(), role.keys().len());
    let (old_keys, new_keys) = (keys(old), keys(new));
    let added = new_keys.iter().filter(|key| !old_keys.contains(key)).cloned();
    let removed = old_keys.iter().filter(|key| !new_keys.contains(key)).cloned();
    let mut told: Vec<Difference> = added.map(|key| Difference::Added { role: role.clone(), key }).collect();
    told.extend(removed.map(|key| Difference::Removed { role: role.clone(), key }));
    if old.map(size) != new.map(size) {
        told.push(Difference::Threshold { role: role.clone(), from: old.map(size), to: new.map(size) });
    }
    told
}

fn keys_in<'r>(root: &'r TrustRoot, wanted: &RoleName) -> Option<&'r schema::RoleKeys> {
    RoleName::all_of(root).find(|(role, _)| role == wanted).map(|(_, keys)| keys)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Added { role, key } => write!(f, "{role}: key {} joins: {key}", key.fingerprint()),
            Difference::Removed { role, key } => write!(f, "{role}: key {} leaves: {key}", key.fingerprint()),
            Difference::Threshold { role, from, to } => {
                write!(f, "{role}: ")?;
                match to {
                    Some((threshold, keys)) => write!(f, "{threshold} of {keys} must sign")?,
                    None => f.write_str("no keys of its own any more, so those of role pointer sign")?,
                }
                match from {
                    Some((threshold, keys)) => write!(f, ", it was {threshold} of {keys}"),
                    None => f.write_str(", a new role"),
                }
            }
            Difference::Epoch { from, to } => {
                write!(
                    f,
                    "epoch: {from} becomes {to}: generations start anew, and every pointer signed so far is refused"
                )
            }
            Difference::Floor { from, to } => {
                write!(f, "release floor: {from} becomes {to}: bundles with a lower release_seq are refused")
            }
            Difference::Revoked(digest) => write!(f, "revoked: bundle {digest} is refused whoever signed it"),
            Difference::Restored(digest) => write!(f, "no longer revoked: bundle {digest}"),
            Difference::Expires { from, to } => write!(f, "expires: {to}, it was {from}"),
        }
    }
}
