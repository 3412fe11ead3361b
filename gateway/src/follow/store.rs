//! Follows a store: finds every app and region in it, and reads their pointers again and again.
//!
//! Looks when a file changes (a directory tells), when the publisher in this process has something new, and when the poll
//! interval is over. Pointers are read with `If-None-Match`, so a look that finds nothing new moves no pointer. Only the
//! store's own statement counts: a region that is no longer listed keeps its pointer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use schema::status::PublisherStatus;
use schema::{Limits, StorePath};
use store::{Read, Store, StoreError, Watch};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::{Backoff, jittered};
use crate::clock;
use crate::health::Subject;
use crate::pair::Pair;
use crate::view::View;

/// Follows `store` until `shutdown`.
pub(crate) async fn follow_store(
    store: Store,
    view: Arc<View>,
    poll: Duration,
    publisher: Option<watch::Receiver<PublisherStatus>>,
    shutdown: CancellationToken,
) {
    let watched = store.clone();
    // Walks the folders of a directory.
    let directory = tokio::task::spawn_blocking(move || watched.watch()).await.ok();
    let mut hints = Hints { directory, publisher };
    let mut looker = Looker { store, view, etags: BTreeMap::new(), listed: None };
    let follow = async {
        let mut backoff = Backoff::default();
        let mut thorough = true;
        looker.view.walk_roots().await;
        loop {
            let pause = match looker.look(thorough).await {
                Ok(()) => {
                    backoff.reset();
                    jittered(poll)
                }
                Err(error) => {
                    looker.view.health.trouble(Subject::Source, &error);
                    backoff.next(poll)
                }
            };
            // A burst of changes is worth a few looks, not one for each.
            tokio::time::sleep(BURST).await;
            thorough = hints.hinted_within(pause).await;
        }
    };
    shutdown.run_until_cancelled(follow).await;
}

struct Looker {
    store: Store,
    view: Arc<View>,
    /// Every pair that was listed, with the ETag under which its posted pointer was read.
    etags: BTreeMap<Pair, Option<String>>,
    listed: Option<Instant>,
}

impl Looker {
    /// Reads every pointer, after a listing if one is due or the look is to be a `thorough` one.
    async fn look(&mut self, thorough: bool) -> Result<(), StoreError> {
        // A directory is cheap to list, and its hints may miss a region that was made a moment ago.
        let cheap = self.store.local_path().is_some();
        if thorough || cheap || self.listed.is_none_or(|listed| listed.elapsed() >= LIST_EVERY) {
            self.list().await?;
            self.listed = Some(Instant::now());
        }
        let reads = self.etags.iter().map(|(pair, etag)| self.read(pair.clone(), etag.clone()));
        let reads = stream::iter(reads.collect::<Vec<_>>()).buffer_unordered(READS_AT_ONCE);
        let reads: Vec<Result<_, StoreError>> = reads.collect().await;
        let (tried, mut failed) = (reads.len(), Vec::new());
        for read in reads {
            match read {
                Ok((pair, etag)) => drop(self.etags.insert(pair, etag)),
                Err(error) => failed.push(error),
            }
        }
        // One pointer that cannot be read must not hold up the others. When none can be, it is the store.
        match failed.pop() {
            Some(error) if failed.len() + 1 == tried => Err(error),
            _ => {
                self.view.health.surveyed();
                self.view.health.fine(&Subject::Source);
                Ok(())
            }
        }
    }

    async fn list(&mut self) -> Result<(), StoreError> {
        for app in self.store.apps().await? {
            for region in self.store.regions(&app).await? {
                self.etags.entry(Pair { app: app.clone(), region }).or_default();
            }
        }
        self.view.health.answered(clock::now());
        Ok(())
    }

    /// Reads one pointer if it changed, and gives the ETag to ask with the next time.
    async fn read(&self, pair: Pair, etag: Option<String>) -> Result<(Pair, Option<String>), StoreError> {
        let max_bytes = Limits::DEFAULT.pointer_max_bytes;
        let (health, subject) = (&self.view.health, Subject::Pointer(pair.clone()));
        let read = self.store.read_if_changed(&pair.pointer_path(), max_bytes, etag.as_deref()).await;
        let read = read.inspect_err(|error| health.trouble(subject.clone(), error))?;
        let now = clock::now();
        health.answered(now);
        match read {
            Read::Unchanged => {
                health.fine(&subject);
                if let Some(slot) = self.view.board.slot(&pair) {
                    slot.confirm(now);
                }
                Ok((pair, etag))
            }
            Read::Absent => {
                match self.view.board.slot(&pair) {
                    // No instruction to anyone: what is posted stays.
                    Some(_) => health.trouble(subject, &Gone { path: pair.pointer_path() }),
                    // History without a pointer: a first publication that is not finished.
                    None => health.fine(&subject),
                }
                Ok((pair, None))
            }
            Read::Object(object) => match self.view.take(&pair, object.bytes).await {
                Ok(_) => Ok((pair, object.etag)),
                // Read again the next time: a newer trust root may make it acceptable.
                Err(_) => Ok((pair, None)),
            },
        }
    }
}

/// Says that a pointer which was there is there no more.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` is gone from the store; the last one is served on")]
struct Gone {
    path: StorePath,
}

/// Who may say that it is worth looking now.
struct Hints {
    directory: Option<Watch>,
    publisher: Option<watch::Receiver<PublisherStatus>>,
}

impl Hints {
    /// Waits for a hint, at most `pause`; says whether there was one.
    async fn hinted_within(&mut self, pause: Duration) -> bool {
        let Hints { directory, publisher } = self;
        let from_directory = async {
            match directory {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        let from_publisher = async {
            match publisher {
                Some(status) => status.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => return false,
            () = from_directory => return true,
            still_there = from_publisher => if still_there { return true },
        }
        *publisher = None;
        false
    }
}

const LIST_EVERY: Duration = Duration::from_secs(10);
const READS_AT_ONCE: usize = 16;
const BURST: Duration = Duration::from_millis(5);
