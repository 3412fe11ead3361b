//! The trust root in force: pinned at the start, replaced by its successors as they appear.
//!
//! The whole chain from the pinned one on is kept: it is all that can be relayed of trust roots in good faith.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use schema::seal::SealError;
use schema::{Limits, TrustRoot, Verified};

/// The pinned trust root, and every one that verified as the successor of the one before it.
#[derive(Debug)]
pub(crate) struct Trust {
    pinned: Arc<Verified<TrustRoot>>,
    successors: RwLock<Vec<Arc<Verified<TrustRoot>>>>,
}

/// Says why there is no trust root to start with.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The file cannot be read.
    #[error("could not read the trust root {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What is in it is no trust root.
    #[error("{} is no trust root", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: SealError,
    },
}

impl Trust {
    /// Pins the root in the file at `path`.
    ///
    /// # Errors
    /// [`PinError`]: without a root nothing can be verified, so nothing is served.
    pub(crate) fn pin(path: &Path) -> Result<Trust, PinError> {
        let bytes = std::fs::read(path).map_err(|source| PinError::Unreadable { path: path.to_owned(), source })?;
        let root = Verified::<TrustRoot>::pin(bytes.into(), &Limits::DEFAULT)
            .map_err(|source| PinError::Invalid { path: path.to_owned(), source })?;
        Ok(Trust { pinned: Arc::new(root), successors: RwLock::default() })
    }

    /// The root in force.
    pub(crate) fn root(&self) -> Arc<Verified<TrustRoot>> {
        let successors = self.successors.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(successors.last().unwrap_or(&self.pinned))
    }

    /// The root of that version, if it is the pinned one or has been in force since.
    pub(crate) fn on_chain(&self, version: u64) -> Option<Arc<Verified<TrustRoot>>> {
        let successors = self.successors.read().unwrap_or_else(PoisonError::into_inner);
        let mut chain = std::iter::once(&self.pinned).chain(successors.iter());
        chain.find(|root| root.version == version).cloned()
    }

    /// Whether a root of that version is older than any that can be told from a forged one here.
    pub(crate) fn predates(&self, version: u64) -> bool {
        version < self.pinned.version
    }

    /// Puts `next` in force, which follows the root in force, unless that has happened already.
    pub(crate) fn advance(&self, next: Verified<TrustRoot>) {
        let mut successors = self.successors.write().unwrap_or_else(PoisonError::into_inner);
        if next.version > successors.last().unwrap_or(&self.pinned).version {
            successors.push(Arc::new(next));
        }
    }
}
