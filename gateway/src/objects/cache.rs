//! Verified objects in memory, up to a number of bytes; who was not asked for the longest goes first.
//!
//! An object that somebody is being sent takes its memory whether it is kept here or not, so it is kept, and counted. What is
//! about to come is counted as well ([`Reserved`]): that is what bounds the memory of all objects together.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schema::{Limits, StorePath};

use super::Kept;

/// A cache that is bounded by the bytes of what it keeps.
#[derive(Debug)]
pub(super) struct Cache {
    /// What may stay though nobody is being sent it.
    max_bytes: u64,
    shelf: Mutex<Shelf>,
}

/// Room for an object that is about to come.
#[derive(Debug)]
pub(super) struct Reserved {
    cache: Arc<Cache>,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Shelf {
    /// Every object, with the moment of its last use.
    objects: HashMap<StorePath, (Kept, u64)>,
    /// The same by last use, the longest ago first.
    by_use: BTreeMap<u64, StorePath>,
    uses: u64,
    bytes: u64,
    reserved: u64,
}

impl Cache {
    pub(super) fn new(max_bytes: u64) -> Cache {
        Cache { max_bytes, shelf: Mutex::default() }
    }

    pub(super) fn get(&self, path: &StorePath) -> Option<Kept> {
        let mut shelf = self.shelf();
        let (kept, _) = shelf.take(path)?;
        shelf.put(path.clone(), kept.clone());
        Some(kept)
    }

    /// Makes room for an object of `bytes`; nothing where what is being sent and what is about to come leave none.
    ///
    /// All objects together have [`Cache::max_bytes`], or as many as the largest bundle: that one must be able to come.
    pub(super) fn reserve(self: &Arc<Cache>, bytes: u64) -> Option<Reserved> {
        let most = self.max_bytes.max(Limits::DEFAULT.bundle_compressed_max_bytes);
        let mut shelf = self.shelf();
        let room = most.checked_sub(shelf.reserved)?.checked_sub(bytes)?;
        // Nothing is forgotten for what cannot come.
        if shelf.bytes_in_use() > room {
            return None;
        }
        shelf.forget_down_to(room);
        shelf.reserved += bytes;
        Some(Reserved { cache: Arc::clone(self), bytes })
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reserved {
    /// Keeps the object that room was made for. The newest one is kept however large it is, or nobody would ever get one that
    /// takes longer to come than a client waits.
    pub(super) fn keep(mut self, path: StorePath, kept: Kept) {
        let cache = Arc::clone(&self.cache);
        let mut shelf = cache.shelf();
        shelf.reserved -= std::mem::take(&mut self.bytes);
        shelf.take(&path);
        shelf.forget_down_to(cache.max_bytes.saturating_sub(cost(&kept)));
        shelf.put(path, kept);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.cache.shelf().reserved -= self.bytes;
        }
    }
}

impl Shelf {
    fn put(&mut self, path: StorePath, kept: Kept) {
        self.uses += 1;
        self.bytes += cost(&kept);
        self.by_use.insert(self.uses, path.clone());
        self.objects.insert(path, (kept, self.uses));
    }

    fn take(&mut self, path: &StorePath) -> Option<(Kept, u64)> {
        let (kept, used) = self.objects.remove(path)?;
        self.by_use.remove(&used);
        self.bytes -= cost(&kept);
        Some((kept, used))
    }

    /// Of what somebody is being sent.
    fn bytes_in_use(&self) -> u64 {
        let in_use = self.objects.values().filter(|(kept, _)| !kept.bytes.is_unique());
        in_use.map(|(kept, _)| cost(kept)).sum()
    }

    /// Forgets what nobody is being sent, who was not asked for the longest first, until at most `room` bytes are left.
    fn forget_down_to(&mut self, room: u64) {
        let mut after = 0;
        while self.bytes > room
            && let Some((used, path)) = self.by_use.range(after..).next()
        {
            after = used + 1;
            let path = path.clone();
            let is_idle = self.objects.get(&path).is_some_and(|(kept, _)| kept.bytes.is_unique());
            if is_idle {
                self.take(&path);
            }
        }
    }
}

/// The bytes, and roughly what remembering them takes.
fn cost(kept: &Kept) -> u64 {
    kept.bytes.len() as u64 + 512
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::http::ETag;

    fn path(version: u64) -> StorePath {
        StorePath::Root { version }
    }

    fn kept(bytes: usize) -> Kept {
        Kept { bytes: Bytes::from(vec![0; bytes]), etag: ETag::of(b"") }
    }

    fn put(cache: &Arc<Cache>, version: u64, bytes: usize) {
        cache.reserve(bytes as u64).expect("room").keep(path(version), kept(bytes));
    }

    fn there(cache: &Cache, versions: std::ops::RangeInclusive<u64>) -> Vec<u64> {
        versions.filter(|version| cache.shelf().objects.contains_key(&path(*version))).collect()
    }

    #[test]
    fn who_was_not_asked_for_the_longest_goes_first() {
        let cache = Arc::new(Cache::new(3 * (1000 + 512)));
        (1..=3).for_each(|version| put(&cache, version, 1000));
        assert!(cache.get(&path(1)).is_some());
        put(&cache, 4, 1000);
        assert_eq!(there(&cache, 1..=4), [1, 3, 4]);
    }

    #[test]
    fn the_bytes_stay_bounded_and_the_newest_is_kept() {
        let cache = Arc::new(Cache::new(10_000));
        (0..100).for_each(|version| put(&cache, version % 7, 3000));
        assert!(cache.shelf().bytes <= 10_000);
        put(&cache, 9, 50_000);
        assert_eq!(there(&cache, 0..=9), [9]);
        put(&cache, 1, 10);
        assert_eq!(there(&cache, 0..=9), [1]);
        assert_eq!(cache.shelf().by_use.len(), 1);
    }

    #[test]
    fn what_somebody_is_being_sent_stays_and_is_counted() {
        let most = Limits::DEFAULT.bundle_compressed_max_bytes;
        let cache = Arc::new(Cache::new(3 * (1000 + 512)));
        (1..=3).for_each(|version| put(&cache, version, 1000));
        let reading = cache.get(&path(1)).expect("an object").bytes.slice(10..20);
        assert!(cache.reserve(most).is_none(), "not while one is in use");
        assert_eq!(there(&cache, 1..=3), [1, 2, 3], "what does not come costs nobody anything");
        let room = cache.reserve(most - 1512).expect("room for all but what is in use");
        assert_eq!(there(&cache, 1..=3), [1]);
        assert!(cache.reserve(1).is_none());
        drop((reading, room));
        drop(cache.reserve(most).expect("room for the largest bundle"));
        let shelf = cache.shelf();
        assert_eq!((shelf.bytes, shelf.reserved), (0, 0));
    }
}
