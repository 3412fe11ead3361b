//! Whether a manifest vouches for the bundle that a pointer names.

use bytes::Bytes;

use crate::digest::Digest;
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::name::App;
use crate::pointer::Target;
use crate::root::TrustRoot;
use crate::seal::{SealError, Verified};

/// Opens the manifest of `target` under the release keys of `root`, and applies what the root says about releases.
///
/// # Errors
/// [`NotVouched`]: the bundle must not be used.
pub fn vouch(
    bytes: Bytes,
    root: &TrustRoot,
    app: &App,
    target: Target,
    limits: &Limits,
) -> Result<Verified<Manifest>, NotVouched> {
    let manifest = Verified::<Manifest>::open(bytes, &root.release, limits)?;
    if manifest.payload_digest() != target.manifest {
        return Err(NotVouched::Other { found: manifest.payload_digest(), named: target.manifest });
    }
    if (&manifest.app, manifest.digest) != (app, target.digest) {
        return Err(NotVouched::OtherBundle { app: manifest.app.clone(), digest: manifest.digest });
    }
    if manifest.release_seq < root.release_floor {
        return Err(NotVouched::BelowFloor { release_seq: manifest.release_seq, floor: root.release_floor });
    }
    if root.revoked.contains(&target.digest) {
        return Err(NotVouched::Revoked { version: root.version });
    }
    Ok(manifest)
}

/// Says why a manifest does not vouch for the bundle that the pointer names.
#[derive(Debug, thiserror::Error)]
pub enum NotVouched {
    /// Not signed by those who may.
    #[error("its seal does not hold")]
    Seal(#[from] SealError),
    /// A manifest, but not the one that the pointer names.
    #[error("mix-and-match: manifest {found} is not {named}, which the pointer names")]
    Other {
        /// As served.
        found: Digest,
        /// As signed in the pointer.
        named: Digest,
    },
    /// Of another bundle.
    #[error("mix-and-match: it is the manifest of bundle {digest} of app `{app}`")]
    OtherBundle {
        /// The app it is for.
        app: App,
        /// The bundle it is for.
        digest: Digest,
    },
    /// Released before the floor.
    #[error("release {release_seq} is below the floor {floor} of the trust root")]
    BelowFloor {
        /// As signed.
        release_seq: u64,
        /// The lowest that is accepted.
        floor: u64,
    },
    /// Taken back.
    #[error("trust root version {version} revokes the bundle")]
    Revoked {
        /// The root's version.
        version: u64,
    },
}

impl NotVouched {
    /// Whether the payload may be right and only too few of the keys in force signed it: then it may have been sealed again.
    pub fn is_unsigned(&self) -> bool {
        matches!(self, NotVouched::Seal(SealError::Threshold { .. }))
    }
}
