//! Tells that pointers of a directory may have changed, sooner than the next poll would.
//!
//! In: file events below `v1/apps`. Out: [`Watch::changed`], many events as one. It is a hint and nothing more: events get
//! lost (a file in a folder made a moment ago), so whoever waits here polls as well. A bucket gives no hints.

use std::path::Path;
use std::sync::Arc;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use schema::StorePath;
use tokio::sync::Notify;
use tracing::warn;

use crate::Store;

/// Hints that pointers may have changed. Ends when dropped.
#[derive(Debug)]
pub struct Watch {
    hint: Arc<Notify>,
    /// Kept for as long as hints are wanted; nothing for a bucket, or if the system gave no watcher.
    _watcher: Option<RecommendedWatcher>,
}

impl Store {
    /// Begins to watch for changed pointers.
    ///
    /// Walks the folders of a directory once, so it takes as long as listing them. If the system has no watcher to give
    /// (inotify's are limited), that is logged, and the hints never come.
    pub fn watch(&self) -> Watch {
        let hint = Arc::new(Notify::new());
        let watcher = self.local_path().and_then(|root| match watcher(root, Arc::clone(&hint)) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                warn!(store = %self, %error, "Cannot watch the store's pointers; changes are seen at the next poll");
                None
            }
        });
        Watch { hint, _watcher: watcher }
    }
}

impl Watch {
    /// Waits until a pointer may have changed since the last call, or since the watch began. For a bucket, for ever.
    ///
    /// May be dropped and called again without losing a hint.
    pub async fn changed(&mut self) {
        self.hint.notified().await;
    }
}

fn watcher(root: &Path, hint: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let apps = root.join(StorePath::APPS);
    // Watched from the first day on, before anything was published.
    std::fs::create_dir_all(&apps)?;
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // An error says that events were lost, which is a reason to look.
        if event.is_ok_and(|event| !concerns_a_pointer(&event)) {
            return;
        }
        hint.notify_one();
    })?;
    watcher.watch(&apps, RecursiveMode::Recursive)?;
    Ok(watcher)
}

fn concerns_a_pointer(event: &Event) -> bool {
    // Reading a pointer is an event too, and must not be the cause of the next read.
    !event.kind.is_access()
        && (event.need_rescan()
            || event.paths.iter().any(|path| path.file_name().is_some_and(|name| name == "pointer")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::time::timeout;

    use super::*;
    use crate::{Object, StoreUrl};

    #[tokio::test]
    async fn a_new_pointer_is_hinted_at_and_reading_it_is_not() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(&StoreUrl::directory(directory.path())).expect("a store");
        let (app, region) = ("app".parse().expect("an app"), "region".parse().expect("a region"));
        let path = StorePath::Pointer { app, region };
        let StorePath::Pointer { app, region } = &path else { unreachable!("it was made one") };
        let mut seen: Option<Object> = None;
        // The first write makes the folders, whose own events may come too late for the file in them.
        store.write_pointer(app, region, Bytes::from_static(b"1"), None).await.map(drop).expect("a write");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut watch = store.watch();

        for bytes in [&b"2"[..], b"3"] {
            seen = store.read(&path, 9).await.expect("a read").or(seen);
            assert!(timeout(Duration::from_millis(200), watch.changed()).await.is_err(), "a read is no change");
            let write = store.write_pointer(app, region, Bytes::from_static(bytes), seen.as_ref()).await;
            write.map(drop).expect("a write");
            timeout(Duration::from_secs(10), watch.changed()).await.expect("a hint");
            // What belongs to the same write is one hint, or the rest of it comes at once.
            while timeout(Duration::from_millis(200), watch.changed()).await.is_ok() {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_gives_no_hints() {
        let store = Store::over(Arc::new(object_store::memory::InMemory::new()), "memory");
        let mut watch = store.watch();
        assert!(timeout(Duration::from_secs(3600), watch.changed()).await.is_err());
    }
}
