//! Remembers when each commit was first seen: a file that only grows.
//!
//! One line `<commit> <time>` per commit, synced before a commit is judged. The first line of a commit counts for ever,
//! so neither a later look nor a second process that writes the same file moves a commit's time.

use std::collections::HashMap;
use std::path::Path;

use schema::{CommitId, Timestamp};

use crate::ledger::{Ledger, LedgerError, LedgerName};

const NAME: LedgerName = LedgerName {
    of: "first-seen commits",
    remedy: "restore the file from a backup, or remove it: what is not published yet then counts as first seen now",
};

/// When commits were first seen by this publisher.
#[derive(Debug)]
pub struct FirstSeen {
    ledger: Ledger,
    times: HashMap<CommitId, Timestamp>,
}

impl FirstSeen {
    /// Opens the record at `path`, making it where there is none.
    ///
    /// A last line that a crash cut short is taken off: its commit was not judged yet.
    ///
    /// # Errors
    /// [`LedgerError`]: the file is out of reach or damaged.
    pub fn open(path: &Path) -> Result<FirstSeen, LedgerError> {
        let (ledger, lines) = Ledger::open(path, NAME, parse_line)?;
        let mut times = HashMap::new();
        for (commit, time) in lines {
            times.entry(commit).or_insert(time);
        }
        Ok(FirstSeen { ledger, times })
    }

    /// Records `now` for those of `commits` that are new, and syncs once.
    ///
    /// # Errors
    /// [`LedgerError::Io`]; nothing is remembered then, so a later try records all of them again.
    pub fn record<'c>(
        &mut self,
        commits: impl Iterator<Item = &'c CommitId>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let fresh: Vec<&CommitId> = commits.filter(|commit| !self.times.contains_key(*commit)).collect();
        let lines: String = fresh.iter().map(|commit| format!("{commit} {now}\n")).collect();
        self.ledger.append(&lines)?;
        self.times.extend(fresh.into_iter().map(|commit| (commit.clone(), now)));
        Ok(())
    }

    /// When `commit` was first seen, if it was.
    pub fn of(&self, commit: &CommitId) -> Option<Timestamp> {
        self.times.get(commit).copied()
    }
}

fn parse_line(line: &str) -> Option<(CommitId, Timestamp)> {
    let (commit, time) = line.split_once(' ')?;
    Some((commit.parse().ok()?, time.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

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
        assert!(matches!(FirstSeen::open(&path), Err(LedgerError::Damaged { line: 2, .. })));
    }
}
