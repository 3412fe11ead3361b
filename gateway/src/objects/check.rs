//! Checks a document before it is relayed.
//!
//! In: the bytes that a source gave for a store path, and the trust root in force. Out: the same bytes, or why they are not
//! what the path says. Agents check for themselves; this keeps rubbish out of the cache and tells a bad mirror early.

use bytes::Bytes;
use schema::manifest::Manifest;
use schema::pointer::Pointer;
use schema::seal::SealError;
use schema::{Limits, RoleKeys, Rollout, Sealed, StorePath, TrustRoot, Verified};

/// Says why bytes are not the document that their path promises.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// It does not verify.
    #[error("it does not verify")]
    Seal(#[from] SealError),
    /// It verifies, as another document.
    #[error("it is the document of another path")]
    Misplaced,
}

/// Gives `bytes` back if they are the document at `path`.
pub(super) fn check(path: &StorePath, bytes: Bytes, root: &TrustRoot) -> Result<Bytes, Unfit> {
    let limits = Limits::DEFAULT;
    let fits = match path {
        // One from before the pinned one: more than its own signatures there is nothing to hold it against.
        StorePath::Root { version } => Verified::<TrustRoot>::pin(bytes.clone(), &limits)?.version == *version,
        StorePath::Manifest { app, digest } | StorePath::Resealed { app, digest, .. } => {
            let manifest = Verified::<Manifest>::open(bytes.clone(), &root.release, &limits)?;
            (&manifest.app, &manifest.digest) == (app, digest)
        }
        // What one of several signers wrote, for the others and for nobody else.
        StorePath::Piece { app, digest, .. } => {
            let any = RoleKeys::new(1, root.release.keys().to_vec()).expect("a role has a key");
            let manifest = Verified::<Manifest>::open(bytes.clone(), &any, &limits)?;
            (&manifest.app, &manifest.digest) == (app, digest)
        }
        // Likewise: rollouts are signed by pointer keys, and theirs may be retired.
        StorePath::Rollout { .. } => Sealed::parse::<Rollout>(bytes.clone(), &limits).map(|_| true)?,
        // The audit log reaches back to keys that are long retired, so it can only be checked for its form.
        _ => Sealed::parse::<Pointer>(bytes.clone(), &limits).map(|_| true)?,
    };
    if fits { Ok(bytes) } else { Err(Unfit::Misplaced) }
}
