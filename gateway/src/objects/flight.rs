//! One fetch for everyone who asks for an object at the same time.
//!
//! A fetch is a task of its own: clients that give up do not end it, and the next one finds the object in the cache. How
//! many there are is bounded, and each needs room in the cache first; beyond it there is nothing to wait for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use schema::StorePath;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::cache::Cache;
use super::{Kept, Miss};

/// What comes of a fetch, for each of those who asked.
pub(super) type Landed = Shared<BoxFuture<'static, Result<Kept, Miss>>>;

/// What becomes of what a fetch brings, once all who asked have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    InCache,
    Nowhere,
}

/// The fetches that are under way.
#[derive(Debug, Default)]
pub(super) struct Flights {
    flying: Arc<Mutex<HashMap<StorePath, Landed>>>,
    tasks: Mutex<JoinSet<()>>,
}

impl Flights {
    /// Joins the fetch of `path`, or starts `fetch`, which brings `size` bytes; the cache keeps what it brings where it is
    /// to.
    ///
    /// # Errors
    /// [`Miss::OnItsWay`] where too much is being fetched already.
    pub(super) fn share(
        &self,
        path: &StorePath,
        size: u64,
        cache: &Arc<Cache>,
        keep: Keep,
        fetch: impl Future<Output = Result<Option<Kept>, Miss>> + Send + 'static,
    ) -> Result<Landed, Miss> {
        let mut flying = lock(&self.flying);
        if let Some(landed) = flying.get(path) {
            return Ok(landed.clone());
        }
        // It may have landed since the caller looked.
        if let Some(kept) = cache.get(path) {
            return Ok(std::future::ready(Ok(kept)).boxed().shared());
        }
        if flying.len() >= FLIGHTS_MAX {
            return Err(Miss::OnItsWay);
        }
        let room = cache.reserve(size.max(SIZE_MIN)).ok_or(Miss::OnItsWay)?;
        let (land, landed) = oneshot::channel();
        // A fetch that panicked is gone without a word; the next to ask starts another one.
        let landed = landed.map(|landed| landed.unwrap_or(Err(Miss::OnItsWay))).boxed().shared();
        flying.insert(path.clone(), landed.clone());
        let entry = Entry { path: path.clone(), flying: Arc::clone(&self.flying) };
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let fetched = fetch.await.and_then(|found| found.ok_or(Miss::Absent));
            if let (Ok(kept), Keep::InCache) = (&fetched, keep) {
                room.keep(entry.path.clone(), kept.clone());
            }
            drop(entry);
            // Who asked may have gone.
            let _ = land.send(fetched);
        });
        Ok(landed)
    }
}

/// The place of a fetch in the list; cleared however the fetch ends.
struct Entry {
    path: StorePath,
    flying: Arc<Mutex<HashMap<StorePath, Landed>>>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.flying).remove(&self.path);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const FLIGHTS_MAX: usize = 64;
/// What a document counts for whose size is not known before it comes.
const SIZE_MIN: u64 = 1024;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use schema::Limits;
    use tokio::sync::Notify;

    use super::*;
    use crate::http::ETag;

    const PATH: StorePath = StorePath::Root { version: 1 };

    fn kept() -> Kept {
        Kept { bytes: Bytes::from(b"bytes".to_vec()), etag: ETag::of(b"bytes") }
    }

    #[tokio::test]
    async fn many_who_ask_are_one_fetch_and_the_next_needs_none() {
        let (flights, cache) = (Flights::default(), Arc::new(Cache::new(10_000)));
        let (fetches, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let fetch = || {
            let (fetches, go) = (Arc::clone(&fetches), Arc::clone(&go));
            async move {
                fetches.fetch_add(1, Ordering::Relaxed);
                go.notified().await;
                Ok(Some(kept()))
            }
        };
        let landings: Vec<Landed> =
            (0..10).map(|_| flights.share(&PATH, 5, &cache, Keep::InCache, fetch()).expect("a flight")).collect();
        // Those who give up do not end it.
        let mut landings = landings.into_iter().skip(9);
        go.notify_one();
        let landed = landings.next().expect("the last").await.expect("a landing");
        assert_eq!(landed.bytes, kept().bytes);
        flights.share(&PATH, 5, &cache, Keep::InCache, fetch()).expect("the cached one").await.expect("a landing");
        assert_eq!(fetches.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_all_and_kept_by_nobody() {
        let (flights, cache) = (Flights::default(), Arc::new(Cache::new(10_000)));
        let absent = flights.share(&PATH, 5, &cache, Keep::InCache, async { Ok(None) }).expect("a flight");
        assert!(matches!(absent.await, Err(Miss::Absent)));
        let found = flights.share(&PATH, 5, &cache, Keep::InCache, async { Ok(Some(kept())) }).expect("a flight");
        assert!(found.await.is_ok());
    }

    #[tokio::test]
    async fn what_is_not_to_be_kept_is_fetched_again() {
        let (flights, cache) = (Flights::default(), Arc::new(Cache::new(10_000)));
        let found = flights.share(&PATH, 5, &cache, Keep::Nowhere, async { Ok(Some(kept())) }).expect("a flight");
        assert!(found.await.is_ok());
        let gone = flights.share(&PATH, 5, &cache, Keep::Nowhere, async { Ok(None) }).expect("a flight");
        assert!(matches!(gone.await, Err(Miss::Absent)));
    }

    #[tokio::test]
    async fn beyond_the_bytes_that_fit_nothing_takes_off() {
        let (flights, cache) = (Flights::default(), Arc::new(Cache::new(10_000)));
        let largest = Limits::DEFAULT.bundle_compressed_max_bytes;
        let go = Arc::new(Notify::new());
        let waiting = Arc::clone(&go);
        let fetch = async move {
            waiting.notified().await;
            Ok(Some(kept()))
        };
        let first = flights.share(&PATH, largest, &cache, Keep::InCache, fetch).expect("a flight");
        let second = StorePath::Root { version: 2 };
        let refused = flights.share(&second, 5, &cache, Keep::InCache, async { Ok(Some(kept())) });
        assert!(matches!(refused, Err(Miss::OnItsWay)));
        go.notify_one();
        first.await.expect("a landing");
        flights
            .share(&second, 5, &cache, Keep::InCache, async { Ok(Some(kept())) })
            .expect("room again")
            .await
            .expect("a landing");
    }
}
