//! The trust roots of a publisher: the first read from its file, the ones after it found in the store.
//!
//! In: a file that a trusted hand put there, and `v1/trust/<n>.root` in the store. Out: a [`Chain`] whose newest root is the one
//! that agents reach, too. A publisher makes no roots; it puts the one from its file where agents find it, and works under
//! the newest.

mod chain;
mod error;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use schema::{Limits, Sealed, StorePath, TrustRoot, Verified};
use store::{Created, Store};

pub use chain::Chain;
pub(crate) use chain::Vouched;
pub use error::{RootFileError, TrustError};

use crate::kind::is_oversized;
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

impl Publisher {
    /// Puts the root from the file into the store, if it is not there, walks to the newest, and goes on under that one.
    ///
    /// # Errors
    /// [`TrustError`]; nothing may be published then. Where the keys are not in the newest root, the roots are walked all the
    /// same: history can be read.
    pub async fn follow_roots(&mut self) -> Result<(), TrustError> {
        self.walk_roots().await?;
        self.keys.fit(self.root(), self.duty)?;
        Ok(())
    }

    /// As [`Publisher::follow_roots`], for those who only read.
    ///
    /// # Errors
    /// [`TrustError`] where the store fails, or has another root of the same version.
    pub async fn walk_roots(&mut self) -> Result<(), TrustError> {
        install(&self.store, self.roots.pinned()).await?;
        let mut roots = Chain::clone(&self.roots);
        let hops = roots.walk(&self.store).await?;
        if hops > 0 {
            let newest = roots.newest();
            tracing::info!("Trust root version {} is in force, epoch {}", newest.version, newest.epoch);
            self.roots = Arc::new(roots);
        }
        Ok(())
    }
}

/// Puts `root` into the store, if it is not there, and makes sure that no other stands in its place.
async fn install(store: &Store, root: &Verified<TrustRoot>) -> Result<(), TrustError> {
    let path = StorePath::Root { version: root.version };
    // Read first: a store that is away says so at once, while a write is pursued until it is known what came of it.
    let standing = match store.read(&path, Limits::DEFAULT.root_max_bytes).await {
        Err(error) if is_oversized(&error) => return Err(TrustError::Conflict { object: path }),
        Err(error) => return Err(error.into()),
        Ok(Some(object)) => Some(object.bytes),
        Ok(None) => match store.create(&path, root.bytes().clone()).await? {
            Created::Taken(standing) => Some(standing),
            Created::New | Created::Same => None,
        },
    };
    let Some(standing) = standing else { return Ok(()) };
    // One root may have been assembled twice from its signers' blocks, so what counts is what they signed.
    let standing = Sealed::parse::<TrustRoot>(standing, &Limits::DEFAULT).map(|sealed| sealed.payload_digest());
    if standing.ok() == Some(root.payload_digest()) { Ok(()) } else { Err(TrustError::Conflict { object: path }) }
}
