//! What can be wrong with a bundle on its way into the store, or with what stands there in its name.

use std::io;

use schema::seal::SealError;
use schema::{App, Digest, StorePath};
use store::StoreError;

use super::ancestry::AncestryError;
use super::content::ContentFault;
use crate::kind::{ErrorKind, is_oversized};
use crate::region::older_root;

/// Says why no pointer may name a bundle.
#[derive(Debug, thiserror::Error)]
#[error("bundle {} of app `{app}` is not to be pointed to", digest.short())]
pub struct BundleError {
    /// The app.
    pub app: App,
    /// The bundle.
    pub digest: Digest,
    /// Why.
    #[source]
    pub fault: BundleFault,
}

/// Why no pointer may name a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleFault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There was no memory to compress it in.
    #[error("it could not be compressed")]
    Compress(#[source] io::Error),
    /// Compressed, it is more than an agent fetches.
    #[error("it has {size} bytes compressed, the limit is {max}")]
    TooLarge {
        /// Its size in bytes, compressed.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// Something else stands at the bundle's path.
    #[error("`{object}` is not that bundle")]
    DamagedBundle {
        /// Where it stands.
        object: Box<StorePath>,
        /// What is wrong with it.
        #[source]
        source: ContentFault,
    },
    /// Something else stands at the manifest's path.
    #[error("`{object}` is not signed by the release keys")]
    DamagedManifest {
        /// Where it stands.
        object: Box<StorePath>,
        /// What is wrong with it.
        #[source]
        source: SealError,
    },
    /// Signed by no release keys that are known here, where there were others before.
    #[error(
        "`{object}` is signed by no release keys that a trust root since version {oldest} has, the oldest that this publisher was \
         given, though keys before that may have signed it"
    )]
    SignersUnknown {
        /// Where it stands.
        object: Box<StorePath>,
        /// Version of that root.
        oldest: u64,
    },
    /// A signed manifest that describes something else.
    #[error("`{object}` is the manifest of another bundle")]
    OtherManifest {
        /// Where it stands.
        object: Box<StorePath>,
    },
    /// Written, and not there when it was read back; or never there.
    #[error("the store does not have `{object}`")]
    Absent {
        /// Where it should stand.
        object: Box<StorePath>,
    },
    /// The release keys were rotated, and the new ones have not signed it.
    #[error("its manifest is signed by release keys that are out of force, and by none of those in force")]
    Unsealed,
    /// A manifest that claims to be newer than the commit that has its content.
    #[error("its manifest, signed by former release keys, has release_seq {release_seq}, and the commit only {commit}")]
    Ahead {
        /// As signed.
        release_seq: u64,
        /// The commit's own.
        commit: u64,
    },
    /// The repository could not tell what another signer's commit is.
    #[error(transparent)]
    Ancestry(#[from] AncestryError),
    /// The trust root lists it.
    #[error("the trust root revokes it")]
    Revoked,
    /// The trust root has moved on.
    #[error("its manifest has release_seq {release_seq}, the trust root asks for {floor} or more")]
    BelowFloor {
        /// As signed.
        release_seq: u64,
        /// As the root says.
        floor: u64,
    },
}

impl BundleFault {
    /// Whether something else stands where the manifest belongs.
    pub(super) fn is_of_the_manifest(&self) -> bool {
        match self {
            BundleFault::DamagedManifest { .. }
            | BundleFault::SignersUnknown { .. }
            | BundleFault::OtherManifest { .. } => true,
            BundleFault::Store(error) => is_oversized(error),
            _ => false,
        }
    }
}

impl BundleError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match &self.fault {
            BundleFault::Store(error) => error.into(),
            BundleFault::Compress(_) | BundleFault::Ancestry(_) => ErrorKind::Unexpected,
            _ => ErrorKind::Refused,
        }
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        match &self.fault {
            BundleFault::DamagedBundle { object, source: ContentFault::OtherFrame } => Some(format!(
                "somebody damaged it; find out who writes to the store, then remove `{object}` from it, and its manifest too \
                 if that does not help"
            )),
            BundleFault::DamagedBundle { object, .. }
            | BundleFault::DamagedManifest { object, .. }
            | BundleFault::OtherManifest { object } => Some(format!(
                "somebody damaged or planted it; find out who writes to the store, then remove `{object}` from it"
            )),
            BundleFault::SignersUnknown { object, oldest } => Some(older_root(object, *oldest)),
            BundleFault::Store(error) if is_oversized(error) => Some(format!(
                "somebody damaged or planted it; find out who writes to the store, then remove `{}` from it",
                error.object
            )),
            BundleFault::Absent { object } => Some(format!(
                "bring `{object}` back from a copy of the store, or publish a commit with other content"
            )),
            BundleFault::Revoked | BundleFault::BelowFloor { .. } => {
                Some("agents would refuse it; revert the commit that brought it, or publish one with other content".to_owned())
            }
            BundleFault::Unsealed => Some(
                "run the publisher that has the release keys in force, which signs what this epoch published; what an earlier \
                 epoch published comes back with a commit that has its content"
                    .to_owned(),
            ),
            BundleFault::Ahead { .. } => {
                Some("somebody had the old release keys; publish a commit with other content, and revoke this bundle".to_owned())
            }
            BundleFault::TooLarge { .. } => Some("split the app into several, or keep large data elsewhere".to_owned()),
            BundleFault::Store(_) | BundleFault::Compress(_) | BundleFault::Ancestry(_) => None,
        }
    }
}
