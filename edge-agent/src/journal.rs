//! The journal of one app: what this host saw, meant to do, did, and said, each durable before the next step.
//!
//! In: [`Record`]s. Out: a [`JournalState`], the fold over all of them. A restart knows nothing else about the past.
//!
//! # The file
//!
//! The first line is `driftless/journal/1`. Each line after it is a sha256 in hex, a blank, and a record as JSON; the
//! sha256 is that of the JSON, so `sha256sum` checks a line by hand. Appending writes one line and syncs it. A crash can
//! tear the line that was being written: a last line without its newline, or with blocks of zeros in it, is dropped
//! and nobody has acted on it. Damage anywhere else is [`JournalError::Damaged`]: the file is left as it is, and the app
//! holds until somebody looks, because a guard against rollback that forgets when damaged is none.

mod file;
mod record;
mod state;

use std::fs::{self, File};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};

use crate::disk;
pub use record::{Applied, Bad, Held, Intent, Record, Trial, Until};
pub use state::JournalState;
pub(crate) use state::REMEMBERED_MAX;

/// An open journal. Every call blocks.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    state: JournalState,
    records: usize,
    spoilt: bool,
}

/// What to do about a journal that is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compaction {
    /// Write it anew when it has many records, as every append does too.
    WhenLong,
    /// Write it anew. After a failed sync nobody can tell which of its bytes are on the disk, so none is relied on.
    Always,
}

impl Journal {
    /// Opens the journal at `path`, or starts one where there is none and `current` does not exist either.
    ///
    /// # Errors
    /// [`JournalError`]; the file is as it was.
    pub(crate) fn open(path: &Path, current: &Path, compaction: Compaction) -> Result<Journal, JournalError> {
        let failed = |source| JournalError::Io { path: path.to_owned(), source };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if current.symlink_metadata().is_ok() {
                    return Err(JournalError::Missing { path: path.to_owned() });
                }
                return Journal::rewrite(path, JournalState::default()).map_err(failed);
            }
            Err(error) => return Err(failed(error)),
        };
        let read = file::read(path, &bytes)?;
        if compaction == Compaction::Always || read.records > LONG {
            return Journal::rewrite(path, read.state).map_err(failed);
        }
        let file = File::options().append(true).open(path).map_err(failed)?;
        if read.whole < bytes.len() {
            tracing::warn!(journal = %path.display(), "Dropped a record that a crash had torn");
            file.set_len(read.whole as u64).map_err(failed)?;
        }
        // What a kill left unsynced is read all the same, and is about to be acted on.
        file.sync_all().map_err(failed)?;
        Ok(Journal { path: path.to_owned(), file, state: read.state, records: read.records, spoilt: false })
    }

    /// Reads a journal that another process may be writing; changes nothing. Nothing where there is no file.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn read(path: &Path) -> Result<Option<JournalState>, JournalError> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(file::read(path, &bytes)?.state)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(JournalError::Io { path: path.to_owned(), source }),
        }
    }

    /// What all records together say.
    pub fn state(&self) -> &JournalState {
        &self.state
    }

    /// Makes `record` durable.
    ///
    /// # Errors
    /// [`JournalError::Io`]: whether the record is on the disk is unknown, so every later call fails too; open the journal
    /// again with [`Compaction::Always`].
    pub(crate) fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let path = self.path.clone();
        let failed = |source| JournalError::Io { path: path.clone(), source };
        if mem::replace(&mut self.spoilt, true) {
            return Err(failed(io::Error::other("an earlier record could not be written")));
        }
        disk::append(&mut self.file, &self.path, &file::line(record)).map_err(failed)?;
        self.state.fold(record);
        self.records += 1;
        if self.records > LONG {
            *self = Journal::rewrite(&self.path, self.state.clone()).map_err(failed)?;
        }
        self.spoilt = false;
        Ok(())
    }

    /// Replaces the file by one that says the same in one record.
    fn rewrite(path: &Path, state: JournalState) -> io::Result<Journal> {
        let snapshot = file::line(&Record::Snapshot { state: Box::new(state.clone()) });
        disk::replace(path, &[file::HEADER, &snapshot].concat())?;
        let file = File::options().append(true).open(path)?;
        Ok(Journal { path: path.to_owned(), file, state, records: 1, spoilt: false })
    }
}

/// Says why a journal cannot be relied on. The app holds: what runs goes on running.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("journal `{}` cannot be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A line other than a torn last one does not hold.
    #[error("journal `{}` is damaged in line {line}: {wrong}; {WHAT_TO_DO}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counting from one.
        line: usize,
        /// What is wrong with it.
        wrong: Damage,
    },
    /// There is none, although something was applied.
    #[error("journal `{}` is missing although `current` exists; {WHAT_TO_DO}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
}

impl JournalError {
    /// Whether opening it again may help without anybody's doing.
    pub fn is_retryable(&self) -> bool {
        matches!(self, JournalError::Io { .. })
    }
}

/// What can be wrong with a line of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The first line is not that of a journal this program can read.
    #[error("it is not `driftless/journal/1`")]
    Header,
    /// The line is not what was written.
    #[error("its checksum does not match")]
    Checksum,
    /// The line is what was written, but not by this version.
    #[error("a newer version of Driftless wrote it")]
    Unknown,
}

const WHAT_TO_DO: &str = "`current` is left as it is and nothing is applied; restore the file, or move the app's folder away \
                          to start anew, which forgets the newest generation seen here";

/// Records beyond which a journal is written anew, so that it stays short however long the agent runs.
const LONG: usize = 512;

#[cfg(test)]
pub(crate) mod tests;
