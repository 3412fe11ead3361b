//! What can be wrong with a bundle on its way into the store, or with what stands there in its name.

use std::io;

use schema::seal::SealError;
use schema::{App, Digest, StorePath};
use store::StoreError;

use super::content::ContentFault;
use crate::kind::ErrorKind;

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

impl BundleError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match &self.fault {
            BundleFault::Store(error) => error.into(),
            BundleFault::Compress(_) => ErrorKind::Unexpected,
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
            BundleFault::Revoked | BundleFault::BelowFloor { .. } => {
                Some("agents would refuse it; publish a commit with other content".to_owned())
            }
            BundleFault::TooLarge { .. } => Some("split the app into several, or keep large data elsewhere".to_owned()),
            BundleFault::Store(_) | BundleFault::Compress(_) | BundleFault::Absent { .. } => None,
        }
    }
}
