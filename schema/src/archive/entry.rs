//! One entry of an archive: a directory, or a regular file and how long it is.

use std::collections::BTreeSet;

use crate::path::EntryPath;

/// A directory or file in an archive, without the file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is in the tree.
    pub path: EntryPath,
    /// What it is.
    pub kind: Kind,
}

/// What an entry can be: there are no links, devices or sockets in a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory, mode 0755.
    Directory,
    /// A regular file.
    File {
        /// Mode 0755 when set, else 0644.
        executable: bool,
        /// Length of the content in bytes.
        size: u64,
    },
}

impl Kind {
    /// Bytes of content, before padding.
    pub(super) fn size(self) -> u64 {
        match self {
            Kind::Directory => 0,
            Kind::File { size, .. } => size,
        }
    }
}

/// Every directory that an archive of `files` must hold: all that are above one of them.
pub fn directories_of<'a>(files: impl Iterator<Item = &'a EntryPath>) -> BTreeSet<EntryPath> {
    files.flat_map(EntryPath::ancestors).collect()
}

/// The end of an error message about `entry`, when the error is about one.
pub(super) fn at_entry(entry: Option<&EntryPath>) -> String {
    entry.map(|path| format!(", at `{path}`")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn directories_are_listed_once_and_outermost_first() {
        let files = ["a/b/one", "a/b/two", "a-b/c", "top"]
            .map(|path| EntryPath::parse(path.as_bytes(), &Limits::DEFAULT).expect("an ordinary path"));
        let directories: Vec<String> = directories_of(files.iter()).iter().map(EntryPath::to_string).collect();
        assert_eq!(directories, ["a", "a-b", "a/b"]);
    }
}
