//! A file that only grows: one fact a line, synced before anybody acts on it.
//!
//! In: a path and how a line is read. Out: the facts that stand there, and a way to add more. Knows nothing of what the
//! facts mean. A last line that a crash cut short is taken off: whoever wrote it had not acted yet.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// An open ledger, ready for more lines.
#[derive(Debug)]
pub(crate) struct Ledger {
    name: LedgerName,
    path: PathBuf,
    file: File,
}

/// What a ledger holds, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LedgerName {
    /// As in `the record of {of}`.
    pub(crate) of: &'static str,
    /// What to do about a damaged file.
    pub(crate) remedy: &'static str,
}

/// Says why a record of the publisher's cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read or written.
    #[error("the record of {of} `{}` cannot be {attempted}", path.display())]
    Io {
        /// What it holds.
        of: &'static str,
        /// The file.
        path: PathBuf,
        /// `opened`, `read` or `written`.
        attempted: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A line that is not the last is damaged.
    #[error("line {line} of the record of {of} `{}` is damaged; {remedy}", path.display())]
    Damaged {
        /// What it holds.
        of: &'static str,
        /// The file.
        path: PathBuf,
        /// Counting from one.
        line: usize,
        /// What to do about it.
        remedy: &'static str,
    },
}

impl Ledger {
    /// Opens the file at `path`, making it where there is none, and reads each line with `parse`.
    ///
    /// # Errors
    /// [`LedgerError`]: the file is out of reach, or `parse` makes nothing of a line.
    pub(crate) fn open<T>(
        path: &Path,
        name: LedgerName,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<(Ledger, Vec<T>), LedgerError> {
        let io = |attempted| move |source| LedgerError::Io { of: name.of, path: path.to_owned(), attempted, source };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io("opened"))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(io("read"))?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(whole as u64).and_then(|()| file.sync_all()).map_err(io("written"))?;
        }
        file.seek(SeekFrom::End(0)).map_err(io("read"))?;
        // The folder is synced so that the file itself outlasts a crash.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io("opened"))?;

        let lines = text[..whole].split_inclusive(|&byte| byte == b'\n').map(|line| &line[..line.len() - 1]);
        let facts = lines.enumerate().map(|(at, line)| {
            str::from_utf8(line).ok().and_then(&parse).ok_or_else(|| LedgerError::Damaged {
                of: name.of,
                path: path.to_owned(),
                line: at + 1,
                remedy: name.remedy,
            })
        });
        let facts = facts.collect::<Result<_, _>>()?;
        Ok((Ledger { name, path: path.to_owned(), file }, facts))
    }

    /// Adds `lines`, each with its newline, and syncs once. Nothing is touched where there is nothing to add.
    ///
    /// # Errors
    /// [`LedgerError::Io`]; the lines count for nothing then.
    pub(crate) fn append(&mut self, lines: &str) -> Result<(), LedgerError> {
        if lines.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|source| LedgerError::Io {
            of: self.name.of,
            path: self.path.clone(),
            attempted: "written",
            source,
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
