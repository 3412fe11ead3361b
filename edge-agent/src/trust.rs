//! The trust root in force, and the walk to newer ones.
//!
//! In: the root that a trusted hand put beside the configuration, the newest one walked to before, and whatever the store offers
//! as the next version. Out: the newest root of an unbroken chain. Each hop is durable before anything is verified with it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use follower::Mirrors;
use schema::root::NotSuccessor;
use schema::seal::SealError;
use schema::{Limits, StorePath, TrustRoot, Verified};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::{error, info};

use crate::blocking::blocking;
use crate::disk;
use crate::tree::{DiskError, failed_at};

/// The one trust root of an agent, shared by its apps.
#[derive(Debug)]
pub(crate) struct Trust {
    newest: RwLock<Arc<Verified<TrustRoot>>>,
    /// Where hops are kept.
    kept: PathBuf,
    /// One walk at a time.
    walking: Mutex<()>,
}

impl Trust {
    /// Reads the root at `pinned`, and the newest one kept in the state folder. A pinned root that is newer than the kept one
    /// wins: somebody replaced it by hand. Blocks.
    pub(crate) fn open(pinned: &Path, state: &Path) -> Result<Trust, TrustError> {
        let kept = state.join("root");
        let root = read(pinned)?.ok_or_else(|| TrustError::Missing { path: pinned.to_owned() })?;
        let newest = match read(&kept)? {
            Some(walked) if walked.version > root.version => walked,
            _ => root,
        };
        Ok(Trust { newest: RwLock::new(Arc::new(newest)), kept, walking: Mutex::new(()) })
    }

    /// The root in force.
    pub(crate) fn newest(&self) -> Arc<Verified<TrustRoot>> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Walks from root to root as far as the store leads. Whatever goes wrong, the root in force stays in force.
    ///
    /// Called before a pointer that changed is verified, so that a key taken out of the root no longer opens anything. Whoever
    /// keeps the next root back holds this up for a bounded time only.
    pub(crate) async fn walk(&self, mirrors: &Mirrors) {
        let _one_at_a_time = self.walking.lock().await;
        for _ in 0..Limits::DEFAULT.root_hops_max {
            if !self.hop(mirrors).await {
                return;
            }
        }
    }

    /// Takes one hop; false when there is none to take.
    async fn hop(&self, mirrors: &Mirrors) -> bool {
        let limits = Limits::DEFAULT;
        let root = self.newest();
        let Some(version) = root.version.checked_add(1) else { return false };
        let check = |bytes: Bytes| root.successor(bytes, &limits);
        let path = StorePath::Root { version };
        let Ok(fetched) = timeout(FETCH_WITHIN, mirrors.fetch(&path, limits.root_max_bytes, check)).await else {
            return false;
        };
        let next = match fetched {
            Ok(next) => next,
            Err(failed) => {
                let refused: Option<&NotSuccessor> = failed.failures.iter().find_map(|failure| match &failure.reason {
                    follower::Reason::Refused(refused) => Some(refused),
                    follower::Reason::Fault(_) => None,
                });
                if refused.is_some() {
                    error!(
                        version,
                        "Trust root {version} is offered and refused; version {} stays: {failed}", root.version
                    );
                }
                return false;
            }
        };
        let (kept, bytes) = (self.kept.clone(), next.bytes().clone());
        if let Err(error) = blocking(move || disk::replace(&kept, &bytes).map_err(failed_at(&kept, "written"))).await {
            error!(
                version,
                error = &error as &dyn std::error::Error,
                "Trust root {version} cannot be kept, so it is not used"
            );
            return false;
        }
        info!(version, epoch = %next.epoch, "Walked to trust root {version}");
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        true
    }
}

/// Says why there is no trust root to start with.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The configured file is not there.
    #[error("trust root `{}` is missing; copy it from whoever ran `driftless init`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It is no trust root, or does not carry its own signatures.
    #[error("`{}` is no trust root", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: SealError,
    },
    /// It cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

fn read(path: &Path) -> Result<Option<Verified<TrustRoot>>, TrustError> {
    let limits = Limits::DEFAULT;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limits.root_max_bytes + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(failed_at(path, "read"))?,
    };
    let root = Verified::<TrustRoot>::pin(Bytes::from(bytes), &limits);
    root.map(Some).map_err(|source| TrustError::Refused { path: path.to_owned(), source })
}

/// How long fetching one root may take, all base URLs together.
const FETCH_WITHIN: Duration = Duration::from_secs(2);
