//! The trust root in force, and the walk to newer ones.
//!
//! In: the root that a trusted hand put beside the configuration, the newest one walked to before, and whatever the store offers
//! as the next version. Out: the newest root of an unbroken chain. Each hop is durable before anything is verified with it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use follower::{Fault, FetchError, Mirrors, Reason};
use schema::root::NotSuccessor;
use schema::seal::SealError;
use schema::{Limits, StorePath, TrustRoot, Verified};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::apply::{clock, in_one_line};
use crate::backoff::around;
use crate::blocking::blocking;
use crate::complaint::Complaint;
use crate::disk;
use crate::metrics::Metrics;
use crate::rule::Rule;
use crate::tree::{DiskError, failed_at};

mod replace;

pub use replace::{NotReplaced, Replaced, replace_root};

/// The one trust root of an agent, shared by its apps.
#[derive(Debug)]
pub(crate) struct Trust {
    newest: watch::Sender<Arc<Verified<TrustRoot>>>,
    /// Where hops are kept.
    kept: PathBuf,
    /// One walk at a time.
    walking: Mutex<Walks>,
    metrics: Arc<Metrics>,
}

/// What is remembered from walk to walk.
#[derive(Debug, Default)]
struct Walks {
    /// When the last one began.
    began: Option<Instant>,
    complaint: Complaint,
}

impl Trust {
    /// Reads the root at `pinned`, and the newest one kept in the state folder. A pinned root that is newer than the kept one
    /// wins: somebody replaced it by hand. Blocks.
    ///
    /// A kept root that is damaged is passed over, and the walk begins at the pinned one again. A trusted hand put that there, so
    /// nobody can be let in by this who was never let in. What can be lost until the walk gets to where it was is what the newer
    /// roots took back, and only while whoever serves the store keeps them from us as well; generations cannot go back, because
    /// what was seen is in each app's journal and not here, and an epoch below the one seen is refused as a rollback.
    pub(crate) fn open(pinned: &Path, state: &Path, metrics: Arc<Metrics>) -> Result<Trust, TrustError> {
        let kept = kept_in(state);
        let root = read(pinned)?.ok_or_else(|| TrustError::Missing { path: pinned.to_owned() })?;
        let newest = match read(&kept) {
            Ok(Some(walked)) if walked.version > root.version => walked,
            Ok(_) => root,
            Err(damaged) => {
                error!(
                    version = root.version,
                    "The trust root that was walked to cannot be used, so the walk begins at version {} again: {}",
                    root.version,
                    in_one_line(&damaged)
                );
                root
            }
        };
        metrics.root(newest.version);
        Ok(Trust { newest: watch::Sender::new(Arc::new(newest)), kept, walking: Mutex::default(), metrics })
    }

    /// The root in force.
    pub(crate) fn newest(&self) -> Arc<Verified<TrustRoot>> {
        self.newest.borrow().clone()
    }

    /// Hears of every root from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Verified<TrustRoot>>> {
        self.newest.subscribe()
    }

    /// Walks from root to root as far as the store leads. Whatever goes wrong, the root in force stays in force.
    ///
    /// Called before a pointer that changed is verified, so that a key taken out of the root no longer opens anything. Whoever
    /// keeps the next root back holds this up for a bounded time only, and hides no root that another base URL has.
    pub(crate) async fn walk(&self, mirrors: &Mirrors) {
        let asked = Instant::now();
        let mut walks = self.walking.lock().await;
        if walks.began.is_some_and(|began| began >= asked) {
            // Somebody else's walk began after we asked for one: it saw all that ours would.
            return;
        }
        walks.began = Some(Instant::now());
        for _ in 0..Limits::DEFAULT.root_hops_max {
            if !self.hop(mirrors, &mut walks.complaint).await {
                return;
            }
        }
        warn!(version = self.newest().version, "The chain of trust roots goes on, and so does the next walk");
    }

    /// Takes one hop; false when there is none to take.
    async fn hop(&self, mirrors: &Mirrors, complaint: &mut Complaint) -> bool {
        let limits = Limits::DEFAULT;
        let root = self.newest();
        let Some(version) = root.version.checked_add(1) else { return false };
        let check = |bytes: Bytes| root.successor(bytes, &limits);
        let path = StorePath::Root { version };
        let next = match mirrors.search(&path, limits.root_max_bytes, FETCH_WITHIN, check).await {
            Ok(next) => next,
            Err(failed) => {
                self.not_found(version, &failed, complaint);
                return false;
            }
        };
        let (kept, bytes) = (self.kept.clone(), next.bytes().clone());
        if let Err(error) = blocking(move || disk::replace(&kept, &bytes).map_err(failed_at(&kept, "written"))).await {
            let reason = in_one_line(&error);
            if complaint.is_new(&reason) {
                error!(version, "Trust root {version} cannot be kept, so it is not used: {reason}");
            }
            return false;
        }
        complaint.settle();
        self.metrics.root(version);
        info!(version, epoch = %next.epoch, "Walked to trust root {version}");
        self.newest.send_replace(Arc::new(next));
        true
    }

    /// Tells why there is no root `version` to walk to, unless it is that there is none.
    fn not_found(&self, version: u64, failed: &FetchError<NotSuccessor>, complaint: &mut Complaint) {
        let stays = version - 1;
        let refused = refusals(failed);
        if !refused.is_empty() {
            self.metrics.refused(None, Rule::Root);
            if complaint.is_new(&format!("{version} {refused}")) {
                error!(version, "Trust root {version} is offered and refused; version {stays} stays: {refused}");
            }
        } else if failed.failures.iter().any(|failure| failure.reason.is_absent()) {
            complaint.settle();
        } else {
            self.metrics.refused(None, Rule::RootFetch);
            if complaint.is_new("unanswered") {
                let failures = &failed.failures;
                warn!(
                    version,
                    "Nobody says whether there is a trust root {version}; version {stays} stays: {failures}"
                );
            }
        }
    }
}

/// Walks now and then until `shutdown`, whatever the pointers do: so that a key or a bundle that was taken back is known of
/// although somebody keeps the pointer as it was, and that an expired root is not the end.
pub(crate) async fn keep_walking(trust: Arc<Trust>, mirrors: Mirrors, poll: Duration, shutdown: CancellationToken) {
    let walking = async {
        let mut complaint = Complaint::default();
        loop {
            trust.walk(&mirrors).await;
            let root = trust.newest();
            let is_expired = root.is_expired(clock());
            if is_expired && complaint.is_new(&root.version.to_string()) {
                let (version, expires) = (root.version, root.expires);
                warn!(version, %expires, "STALE: trust root {version} expired; nothing new is applied before a newer one comes");
            }
            sleep(around(poll * if is_expired { POLLS_WHEN_EXPIRED } else { POLLS })).await;
        }
    };
    tokio::select! {
        () = walking => {}
        () = shutdown.cancelled() => {}
    }
}

/// What is wrong with the roots that were offered; empty where none was.
fn refusals(failed: &FetchError<NotSuccessor>) -> String {
    let offered = failed.failures.iter().filter(|failure| {
        matches!(failure.reason, Reason::Refused(_) | Reason::Fault(Fault::TooLarge { .. } | Fault::Redirect { .. }))
    });
    offered.map(ToString::to_string).collect::<Vec<_>>().join("; ")
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

fn kept_in(state: &Path) -> PathBuf {
    state.join("root")
}

/// How long each base URL may take to send a root; all are asked at once.
const FETCH_WITHIN: Duration = Duration::from_secs(2);
/// Polls between two walks that no pointer gives rise to.
const POLLS: u32 = 30;
/// The same while the root in force is expired, and a newer one is what is waited for.
const POLLS_WHEN_EXPIRED: u32 = 3;
