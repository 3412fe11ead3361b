//! The shape of a tree, checked entry by entry as an archive is written or read.
//!
//! In: entries in archive order. Out: whether each may come next. Knows nothing of bytes or content.

use std::collections::HashSet;

use super::entry::{Entry, Kind};
use crate::limits::Limits;
use crate::path::EntryPath;

/// Why an entry cannot come where it does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeFault {
    /// A duplicate, or out of order.
    #[error("it must come before `{after}`, or is there already")]
    Unsorted {
        /// The entry just before it in the archive.
        after: EntryPath,
    },
    /// The directory it is in is not an entry of its own.
    #[error("the directory it is in is missing")]
    MissingParent,
    /// What should be the directory it is in is a regular file.
    #[error("what it is in is a file")]
    FileAsParent,
    /// Its directory has another entry of that name in another case.
    #[error("its name differs from another one in its directory by case alone")]
    CaseTwin,
    /// The archive holds as many entries as it may.
    #[error("it is one entry more than the {max} allowed")]
    TooManyEntries {
        /// The limit.
        max: u64,
    },
}

/// What has been admitted so far, as far as it matters for what may follow.
pub(super) struct Tree {
    entries: u64,
    entries_max: u64,
    last: Option<EntryPath>,
    root: Names,
    /// Entries that something to come may be in, shortest first.
    ///
    /// The order of entries is by bytes, so `a-b` comes between `a` and `a/c` and leaves `a` open. But whatever comes
    /// between a directory and its last child starts, as text, with the directory's path. So each of these starts with
    /// the one before, and with those passed dropped, memory goes to names, which `entries_max` bounds, not to paths.
    open: Vec<Open>,
}

struct Open {
    path: EntryPath,
    /// None in a file.
    names: Option<Names>,
}

/// Names in one directory, case-folded.
type Names = HashSet<Box<str>>;

impl Tree {
    pub(super) fn new(limits: &Limits) -> Tree {
        Tree { entries: 0, entries_max: limits.entries_max, last: None, root: Names::new(), open: Vec::new() }
    }

    /// Entries admitted.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// Takes `entry` as the next one. After an error the tree is of no more use.
    pub(super) fn admit(&mut self, entry: &Entry) -> Result<(), TreeFault> {
        if self.entries >= self.entries_max {
            return Err(TreeFault::TooManyEntries { max: self.entries_max });
        }
        if let Some(last) = self.last.as_ref().filter(|last| **last >= entry.path) {
            return Err(TreeFault::Unsorted { after: last.clone() });
        }
        let path = entry.path.as_str();
        while self.open.pop_if(|open| !path.starts_with(open.path.as_str())).is_some() {}

        let folded = entry.path.case_folded();
        let name = folded.rsplit('/').next().unwrap_or_default();
        if !self.siblings(path)?.insert(name.into()) {
            return Err(TreeFault::CaseTwin);
        }
        let names = matches!(entry.kind, Kind::Directory).then(Names::new);
        self.open.push(Open { path: entry.path.clone(), names });
        self.last = Some(entry.path.clone());
        self.entries += 1;
        Ok(())
    }

    /// The names in the directory that `path` is in.
    fn siblings(&mut self, path: &str) -> Result<&mut Names, TreeFault> {
        let Some((parent, _)) = path.rsplit_once('/') else {
            return Ok(&mut self.root);
        };
        let above = self.open.iter_mut().rfind(|open| open.path.as_str() == parent).ok_or(TreeFault::MissingParent)?;
        above.names.as_mut().ok_or(TreeFault::FileAsParent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Admits `paths` in turn, those that end with `/` as directories, and gives the last answer.
    fn admit(paths: &[&str]) -> Result<(), TreeFault> {
        let limits = Limits { entries_max: 6, ..Limits::DEFAULT };
        let mut tree = Tree::new(&limits);
        let mut answer = Ok(());
        for path in paths {
            assert_eq!(answer, Ok(()), "before {path}");
            let (path, kind) = match path.strip_suffix('/') {
                Some(directory) => (directory, Kind::Directory),
                None => (*path, Kind::File { executable: false, size: 0 }),
            };
            let path = EntryPath::parse(path.as_bytes(), &limits).expect("an ordinary path");
            answer = tree.admit(&Entry { path, kind });
        }
        answer
    }

    #[test]
    fn entries_that_sort_between_a_directory_and_its_children_leave_it_open() {
        assert_eq!(admit(&["a/", "a-b/", "a-b/c", "a.d", "a/c", "b"]), Ok(()));
        assert_eq!(admit(&["a", "a-b/", "a-b/c", "a.d", "a/c"]), Err(TreeFault::FileAsParent));
    }

    #[test]
    fn a_directory_must_be_there_and_must_be_one() {
        assert_eq!(admit(&["a/b"]), Err(TreeFault::MissingParent));
        assert_eq!(admit(&["a/", "a/b/c"]), Err(TreeFault::MissingParent));
        assert_eq!(admit(&["a", "a/b"]), Err(TreeFault::FileAsParent));
        assert_eq!(admit(&["A/", "a/b"]), Err(TreeFault::MissingParent));
    }

    #[test]
    fn names_that_differ_by_case_alone_are_twins_in_one_directory_only() {
        assert_eq!(admit(&["README", "readme"]), Err(TreeFault::CaseTwin));
        assert_eq!(admit(&["a/", "a/X", "a/b", "a/x"]), Err(TreeFault::CaseTwin));
        assert_eq!(admit(&["a/", "a/É", "a/é"]), Err(TreeFault::CaseTwin));
        assert_eq!(admit(&["A/", "a"]), Err(TreeFault::CaseTwin));
        assert_eq!(admit(&["X", "a/", "a/x"]), Ok(()));
    }

    #[test]
    fn each_entry_comes_after_the_one_before_and_none_beyond_the_limit() {
        let path = |path: &str| EntryPath::parse(path.as_bytes(), &Limits::DEFAULT).expect("an ordinary path");
        assert_eq!(admit(&["a", "a"]), Err(TreeFault::Unsorted { after: path("a") }));
        assert_eq!(admit(&["b", "a"]), Err(TreeFault::Unsorted { after: path("b") }));
        assert_eq!(admit(&["1", "2", "3", "4", "5", "6", "7"]), Err(TreeFault::TooManyEntries { max: 6 }));
    }
}
