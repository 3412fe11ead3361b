//! Verified objects in memory, up to a number of bytes; who was not asked for the longest goes first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use schema::StorePath;

use super::Kept;

/// A cache that is bounded by the bytes of what it keeps.
#[derive(Debug)]
pub(super) struct Cache {
    max_bytes: u64,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// Every object, with the moment of its last use.
    objects: HashMap<StorePath, (Kept, u64)>,
    /// The same by last use, the longest ago first.
    by_use: BTreeMap<u64, StorePath>,
    uses: u64,
    bytes: u64,
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

    /// Keeps an object, and makes room for it. The newest one is kept however large it is, or nobody would ever get one
    /// that takes longer to come than a client waits.
    pub(super) fn put(&self, path: StorePath, kept: Kept) {
        let mut shelf = self.shelf();
        shelf.take(&path);
        let room = self.max_bytes.saturating_sub(cost(&kept));
        while shelf.bytes > room
            && let Some((_, oldest)) = shelf.by_use.first_key_value()
        {
            let oldest = oldest.clone();
            shelf.take(&oldest);
        }
        shelf.put(path, kept);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn who_was_not_asked_for_the_longest_goes_first() {
        let cache = Cache::new(3 * (1000 + 512));
        (1..=3).for_each(|version| cache.put(path(version), kept(1000)));
        assert!(cache.get(&path(1)).is_some());
        cache.put(path(4), kept(1000));
        let there: Vec<u64> = (1..=4).filter(|version| cache.get(&path(*version)).is_some()).collect();
        assert_eq!(there, [1, 3, 4]);
    }

    #[test]
    fn the_bytes_stay_bounded_and_the_newest_is_kept() {
        let cache = Cache::new(10_000);
        (0..100).for_each(|version| cache.put(path(version % 7), kept(3000)));
        assert!(cache.shelf().bytes <= 10_000);
        cache.put(path(9), kept(50_000));
        assert!(cache.get(&path(9)).is_some());
        assert_eq!(cache.shelf().objects.len(), 1);
        cache.put(path(1), kept(10));
        assert_eq!(cache.shelf().objects.len(), 1);
        assert_eq!(cache.shelf().by_use.len(), 1);
    }
}
