//! What an agent counts, and the file in which it leaves that for others to read.
//!
//! In: refusals and readings, as they come about. Out: a text that the textfile collector of a node exporter takes up. Nobody who
//! counts waits for the file, and nothing wakes up for it while nothing changes.

mod readings;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schema::App;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub(crate) use readings::Reading;
use readings::Readings;

use crate::blocking::blocking;
use crate::rule::Rule;

/// The counters and gauges of one agent, shared by all its tasks.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    readings: Mutex<Readings>,
    changed: Notify,
}

impl Metrics {
    /// Counts one refusal; of a trust root, which all apps share, without an app.
    pub(crate) fn refused(&self, app: Option<&App>, rule: Rule) {
        self.readings().refused(app, rule);
        self.changed.notify_one();
    }

    /// Counts a version of `app` on the disk that is not what was signed.
    pub(crate) fn damaged(&self, app: &App) {
        self.readings().damaged(app);
        self.changed.notify_one();
    }

    /// Takes note of how `app` is now.
    pub(crate) fn read(&self, app: &App, reading: Reading) {
        if self.readings().read(app, reading) {
            self.changed.notify_one();
        }
    }

    /// Takes note of the version of the trust root in force.
    pub(crate) fn root(&self, version: u64) {
        if self.readings().root(version) {
            self.changed.notify_one();
        }
    }

    fn readings(&self) -> MutexGuard<'_, Readings> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes `metrics` to the file at `path` when they changed, at most once a second, until `shutdown`.
///
/// A file that cannot be written is complained about once, and tried again with the next change.
pub(crate) async fn keep_written(metrics: Arc<Metrics>, path: PathBuf, shutdown: CancellationToken) {
    let writing = async {
        let mut complained = false;
        loop {
            metrics.changed.notified().await;
            let (text, place) = (metrics.readings().to_string(), path.clone());
            match blocking(move || replace(&place, &text)).await {
                Ok(()) => complained = false,
                Err(error) if !complained => {
                    complained = true;
                    warn!(%error, "Metrics cannot be written to `{}`", path.display());
                }
                Err(_) => {}
            }
            sleep(WRITE_EVERY).await;
        }
    };
    shutdown.run_until_cancelled(writing).await;
}

/// Puts `text` at `path` in one step, so that nobody reads half of it. Not synced: what a power cut takes is written again.
fn replace(path: &PathBuf, text: &str) -> io::Result<()> {
    // Collectors read what is called `*.prom`.
    let next = path.with_extension("prom.next");
    fs::write(&next, text)?;
    fs::rename(&next, path)
}

const WRITE_EVERY: Duration = Duration::from_secs(1);
