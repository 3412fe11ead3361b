//! What every next root has to keep, whoever planned it.
//!
//! In: the root before, if there is one, the next one, and the time. Out: nothing, or the first [`BrokenRule`]. That thresholds
//! can be met and no key is listed twice needs no rule here: a [`RoleKeys`] that breaks it does not exist.

use std::collections::HashSet;

use schema::{Epoch, Limits, RoleKeys, Timestamp, TrustRoot};

/// Checks `next` against the root `before`; a first root has none.
///
/// # Errors
/// The first rule that is broken.
pub(super) fn check(before: Option<&TrustRoot>, next: &TrustRoot, now: Timestamp) -> Result<(), BrokenRule> {
    let expected = before.map_or(Some(1), |before| before.version.checked_add(1));
    if Some(next.version) != expected {
        return Err(BrokenRule::Version { offered: next.version, before: before.map_or(0, |before| before.version) });
    }
    if let Some(before) = before {
        if next.epoch != before.epoch && Some(next.epoch) != before.epoch.next() {
            return Err(BrokenRule::Epoch { offered: next.epoch, before: before.epoch });
        }
        if next.release_floor < before.release_floor {
            return Err(BrokenRule::Floor { offered: next.release_floor, before: before.release_floor });
        }
    }
    if next.is_expired(now) {
        return Err(BrokenRule::Expired { expires: next.expires });
    }
    let signers = fewest_signers(before.map(|before| &before.root), &next.root);
    let max = Limits::DEFAULT.signers_max;
    if signers > max { Err(BrokenRule::Signers { signers, max }) } else { Ok(()) }
}

/// How many people have to sign at least, if as many as possible sign for both roots.
fn fewest_signers(before: Option<&RoleKeys>, next: &RoleKeys) -> usize {
    let Some(before) = before else { return next.threshold() };
    let keys: HashSet<_> = before.keys().iter().collect();
    let common = next.keys().iter().filter(|key| keys.contains(key)).count();
    before.threshold() + next.threshold() - common.min(before.threshold()).min(next.threshold())
}

/// Says which rule a next root breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenRule {
    /// A version was skipped, repeated or lowered.
    #[error("version {offered} does not follow version {before}")]
    Version {
        /// As offered.
        offered: u64,
        /// Of the root before; 0 where there is none.
        before: u64,
    },
    /// The epoch went back, or grew by more than one.
    #[error("epoch {offered} does not follow epoch {before}: it stays, or grows by one")]
    Epoch {
        /// As offered.
        offered: Epoch,
        /// Of the root before.
        before: Epoch,
    },
    /// What was shut out would be let in again.
    #[error("release floor {offered} is below {before}, and a floor never sinks")]
    Floor {
        /// As offered.
        offered: u64,
        /// Of the root before.
        before: u64,
    },
    /// Agents would hold at once.
    #[error("it expires at {expires}, which is past")]
    Expired {
        /// When.
        expires: Timestamp,
    },
    /// More signatures than a file can carry.
    #[error("it needs {signers} signatures, and a root carries at most {max}")]
    Signers {
        /// How many are needed.
        signers: usize,
        /// How many fit.
        max: usize,
    },
    /// Mostly revoked digests: raise the floor instead.
    #[error("it would have {bytes} bytes with its signatures, and a root has at most {max_bytes}")]
    Size {
        /// How many it may grow to.
        bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
}
