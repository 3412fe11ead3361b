//! The trust root of a publisher: read from its file, and put where agents find it.
//!
//! In: a file that a trusted hand put there. Out: a verified root, and `v1/trust/<n>.root` in the store. The publisher
//! never makes or follows roots: a newer one in the store means that this file is out of date.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use schema::seal::SealError;
use schema::{Limits, Sealed, StorePath, TrustRoot, Verified};
use store::{Created, StoreError};

use crate::kind::ErrorKind;
use crate::publisher::Publisher;

/// Reads the trust root file at `path`.
///
/// # Errors
/// [`RootFileError`] where it cannot be read or does not carry its own signatures.
pub fn load(path: &Path) -> Result<Verified<TrustRoot>, RootFileError> {
    let bytes = std::fs::read(path).map_err(|source| RootFileError::Unreadable { path: path.to_owned(), source })?;
    let pinned = Verified::<TrustRoot>::pin(Bytes::from(bytes), &Limits::DEFAULT);
    pinned.map_err(|source| RootFileError::Invalid { path: path.to_owned(), source })
}

/// Puts the root into the store, if it is not there, and makes sure that it is the newest.
///
/// # Errors
/// [`TrustError`]; nothing may be published then.
pub async fn install(publisher: &Publisher) -> Result<(), TrustError> {
    let root = &publisher.root;
    let path = StorePath::Root { version: root.version };
    // Read first: a store that is away says so at once, while a write is pursued until it is known what came of it.
    let standing = match publisher.store.read(&path, Limits::DEFAULT.root_max_bytes).await? {
        Some(object) => Some(object.bytes),
        None => match publisher.store.create(&path, root.bytes().clone()).await? {
            Created::Taken(standing) => Some(standing),
            Created::New | Created::Same => None,
        },
    };
    if let Some(standing) = standing {
        // One root may have been assembled twice from its signers' blocks, so what counts is what they signed.
        let standing = Sealed::parse::<TrustRoot>(standing, &Limits::DEFAULT).map(|sealed| sealed.payload_digest());
        if standing.ok() != Some(root.payload_digest()) {
            return Err(TrustError::Conflict { object: path });
        }
    }
    let Some(version) = root.version.checked_add(1) else { return Ok(()) };
    let next = StorePath::Root { version };
    let Some(object) = publisher.store.read(&next, Limits::DEFAULT.root_max_bytes).await? else { return Ok(()) };
    match root.successor(object.bytes, &Limits::DEFAULT) {
        Ok(_) => Err(TrustError::Superseded { version: root.version, object: next }),
        Err(error) => {
            tracing::warn!("Object {next} follows from no trust root, agents will pass over it: {error}");
            Ok(())
        }
    }
}

/// Says why a trust root file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum RootFileError {
    /// It cannot be read.
    #[error("trust root `{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It is no trust root, or not signed by its own keys.
    #[error("trust root `{}` is of no use", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: SealError,
    },
}

/// Says why nothing may be published under a trust root.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another root has the same version.
    #[error("`{object}` in the store is another trust root of the same version")]
    Conflict {
        /// Where it stands.
        object: StorePath,
    },
    /// The store has a newer root, signed as it must be.
    #[error("trust root version {version} was followed by `{object}`")]
    Superseded {
        /// The version of the root in hand.
        version: u64,
        /// Where the newer one stands.
        object: StorePath,
    },
}

impl TrustError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            TrustError::Store(error) => error.into(),
            TrustError::Conflict { .. } | TrustError::Superseded { .. } => ErrorKind::Refused,
        }
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        match self {
            TrustError::Store(_) => None,
            TrustError::Conflict { .. } => {
                Some("give this publisher the root that its agents trust, or another, empty store".to_owned())
            }
            TrustError::Superseded { .. } => {
                Some("give this publisher the newer root, and keys that are in it".to_owned())
            }
        }
    }
}
