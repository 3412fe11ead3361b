//! How long the disk under the agents takes to keep its word: they sync several times for each apply.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use crate::bench::figures::{median, rounded};
use crate::exit::Failure;

/// A folder's disk.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::bench) struct Disk {
    /// Median of appending a line to a file and syncing it, with nobody else at it.
    pub(in crate::bench) fsync_us: f64,
    /// Whether the folder is in memory, where a sync does nothing.
    pub(in crate::bench) is_memory: bool,
}

impl Disk {
    pub(super) fn of(folder: &Path) -> Result<Disk, Failure> {
        let is_memory = rustix::fs::statfs(folder).map_err(Failure::unexpected)?.f_type == TMPFS;
        Ok(Disk { fsync_us: syncs(folder).map_err(Failure::unexpected)?, is_memory })
    }
}

fn syncs(folder: &Path) -> io::Result<f64> {
    let mut file = File::create(folder.join("sync"))?;
    let mut took = Vec::new();
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[b'x'; 200])?;
        file.sync_data()?;
        took.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(rounded(median(took).unwrap_or_default()))
}

/// What `statfs` says of memory.
const TMPFS: rustix::fs::FsWord = 0x0102_1994;
const SYNCS: usize = 50;
