//! Remembers when each commit was first seen: a file that only grows.
//!
//! One line `<commit> <time>` per commit, synced before a commit is judged. The first line of a commit counts for ever,
//! so neither a later look nor a second process that writes the same file moves a commit's time.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use schema::{CommitId, Timestamp};

/// When commits were first seen by this publisher.
#[derive(Debug)]
pub struct FirstSeen {
    path: PathBuf,
    file: File,
    times: HashMap<CommitId, Timestamp>,
}

/// Says why the record of first sights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FirstSeenError {
    /// The file cannot be read or written.
    #[error("the record of first-seen commits `{}` cannot be {attempted}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `opened`, `read` or `written`.
        attempted: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A line that is not the last is damaged.
    #[error("line {line} of the record of first-seen commits `{}` is damaged; restore the file from a backup, or remove it: \
             what is not published yet then counts as first seen now", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counting from one.
        line: usize,
    },
}

impl FirstSeen {
    /// Opens the record at `path`, making it where there is none.
    ///
    /// A last line that a crash cut short is taken off: its commit was not judged yet.
    ///
    /// # Errors
    /// [`FirstSeenError`]: the file is out of reach or damaged.
    pub fn open(path: &Path) -> Result<FirstSeen, FirstSeenError> {
        let io = |attempted| move |source| FirstSeenError::Io { path: path.to_owned(), attempted, source };
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

        let mut times = HashMap::new();
        for (at, line) in text[..whole].split_inclusive(|&byte| byte == b'\n').enumerate() {
            let (commit, time) =
                parse_line(line).ok_or_else(|| FirstSeenError::Damaged { path: path.to_owned(), line: at + 1 })?;
            times.entry(commit).or_insert(time);
        }
        Ok(FirstSeen { path: path.to_owned(), file, times })
    }

    /// Records `now` for those of `commits` that are new, and syncs once.
    ///
    /// # Errors
    /// [`FirstSeenError::Io`]; nothing is remembered then, so a later try records all of them again.
    pub fn record<'c>(
        &mut self,
        commits: impl Iterator<Item = &'c CommitId>,
        now: Timestamp,
    ) -> Result<(), FirstSeenError> {
        let fresh: Vec<&CommitId> = commits.filter(|commit| !self.times.contains_key(*commit)).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let lines: String = fresh.iter().map(|commit| format!("{commit} {now}\n")).collect();
        let written = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|source| FirstSeenError::Io { path: self.path.clone(), attempted: "written", source })?;
        self.times.extend(fresh.into_iter().map(|commit| (commit.clone(), now)));
        Ok(())
    }

    /// When `commit` was first seen, if it was.
    pub fn of(&self, commit: &CommitId) -> Option<Timestamp> {
        self.times.get(commit).copied()
    }
}

fn parse_line(line: &[u8]) -> Option<(CommitId, Timestamp)> {
    let (commit, time) = str::from_utf8(line).ok()?.strip_suffix('\n')?.split_once(' ')?;
    Some((commit.parse().ok()?, time.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn id(digit: char) -> CommitId {
        digit.to_string().repeat(40).parse().expect("forty digits")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_millis(second * 1000)
    }

    #[test]
    fn a_commit_keeps_its_first_time_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("first-seen");
        let mut seen = FirstSeen::open(&path).unwrap();
        seen.record([&id('a')].into_iter(), at(1)).unwrap();
        seen.record([&id('a'), &id('b')].into_iter(), at(2)).unwrap();
        assert_eq!((seen.of(&id('a')), seen.of(&id('b')), seen.of(&id('c'))), (Some(at(1)), Some(at(2)), None));

        // Another process that did not see it records it again: the first line still counts.
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(format!("{} {}\n", id('a'), at(9)).as_bytes())
            .unwrap();
        let again = FirstSeen::open(&path).unwrap();
        assert_eq!((again.of(&id('a')), again.of(&id('b'))), (Some(at(1)), Some(at(2))));
    }

    #[test]
    fn a_torn_last_line_is_taken_off_and_a_damaged_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("first-seen");
        fs::write(&path, format!("{} {}\n{} 2026", id('a'), at(1), id('b'))).unwrap();
        let mut seen = FirstSeen::open(&path).unwrap();
        assert_eq!(seen.of(&id('b')), None);
        seen.record([&id('b')].into_iter(), at(3)).unwrap();
        assert_eq!(FirstSeen::open(&path).unwrap().of(&id('b')), Some(at(3)));

        fs::write(&path, format!("{} {}\nnonsense\n{} {}\n", id('a'), at(1), id('b'), at(1))).unwrap();
        assert!(matches!(FirstSeen::open(&path), Err(FirstSeenError::Damaged { line: 2, .. })));
    }
}
