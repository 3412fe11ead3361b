//! Hears when a local repository's branches may have moved.
//!
//! A hint and no more: watches miss events and are not there on every file system, so whoever waits also polls, and reads
//! the branch itself each time.

use std::path::Path;
use std::sync::Arc;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Hints about one repository. None ever come where it cannot be watched.
pub(super) struct Hint {
    heard: Arc<Notify>,
    /// Stops when it is dropped.
    _watcher: Option<RecommendedWatcher>,
}

impl Hint {
    /// No hints, as for a repository elsewhere.
    pub(super) fn none() -> Hint {
        Hint { heard: Arc::new(Notify::new()), _watcher: None }
    }

    /// Watches the branches of the repository whose git folder is `folder`.
    pub(super) fn of(folder: &Path) -> Hint {
        let heard = Arc::new(Notify::new());
        let watcher = watch(folder, Arc::clone(&heard));
        if let Err(error) = &watcher {
            tracing::warn!(%error, folder = %folder.display(), "Cannot watch the repository, so changes are noticed by polling only");
        }
        Hint { heard, _watcher: watcher.ok() }
    }

    /// Waits for a hint. One that came since the last wait ends it at once.
    pub(super) async fn heard(&self) {
        self.heard.notified().await;
    }
}

fn watch(folder: &Path, heard: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let refs = folder.join("refs");
    let branches = refs.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.map_or(true, |event| matters(&event, &branches)) {
            heard.notify_one();
        }
    })?;
    // The folder itself for `packed-refs`, into which branches move.
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    watcher.watch(&refs, RecursiveMode::Recursive)?;
    Ok(watcher)
}

fn matters(event: &Event, branches: &Path) -> bool {
    let about_branches = || {
        event
            .paths
            .iter()
            .any(|path| path.starts_with(branches) || path.file_name().is_some_and(|name| name == "packed-refs"))
    };
    // Reading is an event, too, and would wake whoever reads upon waking.
    !matches!(event.kind, EventKind::Access(_)) && (event.need_rescan() || about_branches())
}
