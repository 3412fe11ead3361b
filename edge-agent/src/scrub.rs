//! Reads every version on the disk again, gently, and says which are not what their names say.
//!
//! In: an app's folder. Out: [`Found`], for the keeper to act on; and the [`Scrub`] that it leaves behind for people to read.
//! Changes no version itself.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::thread::sleep;
use std::time::{Duration, Instant};

use schema::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::apply::in_one_line;
use crate::disk;
use crate::state::AppFolder;
use crate::tree::{RearchiveError, rearchive_pausing};

/// What the last scrub of one app found, and what was done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrub {
    /// When it ended.
    pub last: Timestamp,
    /// How many versions were read.
    pub versions: usize,
    /// How they are now.
    pub result: Condition,
    /// The version that runs, where it was damaged and was put right.
    pub repaired: Option<Digest>,
    /// Damaged versions that do not run, and were removed.
    pub removed: Vec<Digest>,
    /// What could not be put right, and why.
    pub problem: Option<Box<str>>,
}

/// How the versions of an app are after a scrub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Each was what its name says.
    Sound,
    /// Not all were, and those that are left are.
    Mended,
    /// Something is not what was signed, and could not be put right yet.
    Damaged,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) sound: Vec<Digest>,
    /// To be read once more before anything is done about it: the keeper does not stand still meanwhile.
    pub(crate) suspect: Vec<Digest>,
    /// Why nothing could be read.
    pub(crate) problem: Option<Box<str>>,
}

impl Scrub {
    /// What the last scrub left behind; nothing where it is missing or damaged, which only means that the next comes sooner.
    pub(crate) fn read(folder: &AppFolder) -> Option<Scrub> {
        serde_json::from_slice(&fs::read(folder.scrub()).ok()?).ok()
    }

    /// Leaves it behind.
    pub(crate) fn write(&self, folder: &AppFolder) -> io::Result<()> {
        disk::replace(&folder.scrub(), &serde_json::to_vec(self)?)
    }
}

/// Reads all versions in `folder`, one after the other, and rests three times as long as it reads. Blocks, until `stop`.
pub(crate) fn read_versions(folder: &AppFolder, stop: &CancellationToken) -> Found {
    let mut found = Found::default();
    let versions = match folder.on_disk() {
        Ok(versions) => versions,
        Err(error) => return Found { problem: Some(in_one_line(&error)), ..found },
    };
    for digest in versions {
        let mut worked_since = Instant::now();
        let read = rearchive_pausing(&folder.version(&digest), || {
            let worked = worked_since.elapsed();
            if worked >= SLICE {
                sleep((worked * 3).min(REST_MAX));
                worked_since = Instant::now();
            }
            if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match read {
            Ok(summary) if summary.digest == digest => found.sound.push(digest),
            Err(RearchiveError::Stopped) => return found,
            Ok(_) | Err(_) => found.suspect.push(digest),
        }
    }
    found
}

/// How long it reads at a time, give or take a file.
const SLICE: Duration = Duration::from_millis(5);
/// The longest rest at a time, so that a stop need not wait for it long.
const REST_MAX: Duration = Duration::from_millis(200);
