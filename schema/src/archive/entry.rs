//! One entry of an archive: a directory, or a regular file and how long it is.

use std::collections::BTreeSet;

use super::header;
use crate::path::EntryPath;

/// How many bytes end an archive, after its last entry. All are zero.
pub const END_LEN: u64 = header::END.len() as u64;

/// A directory or file in an archive, without the file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is in the tree.
    pub path: EntryPath,
    /// What it is.
    pub kind: Kind,
}

impl Entry {
    /// The bytes in front of its content. The last 167 of them are zero.
    ///
    /// The size must be one that a file in an archive may have.
    pub fn head(&self) -> Vec<u8> {
        header::encode(self)
    }

    /// How many bytes come before its content.
    pub fn head_len(&self) -> u64 {
        header::encoded_len(self)
    }

    /// How many zero bytes come after its content.
    pub fn padding(&self) -> u64 {
        header::padding(self.kind.size())
    }
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
    pub fn size(self) -> u64 {
        match self {
            Kind::Directory => 0,
            Kind::File { size, .. } => size,
        }
    }
}

/// Every directory that an archive of `files` must hold: all that are above one of them.
pub fn directories_of<'a>(files: impl Iterator<Item = &'a EntryPath>) -> BTreeSet<EntryPath> {
    let mut directories = BTreeSet::new();
    let mut before: Option<&EntryPath> = None;
    for file in files {
        match before {
            // Neighbours tend to be in the same directory, and what is above both is there already.
            Some(before) => directories.extend(file.ancestors_not_above(before)),
            None => directories.extend(file.ancestors()),
        }
        before = Some(file);
    }
    directories
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

    #[test]
    fn what_an_entry_takes_is_known_before_it_is_encoded() {
        for (name, size) in [(1, 0), (99, 1), (100, 511), (101, 512), (200, 513), (255, 7)] {
            let path = EntryPath::parse("n".repeat(name).as_bytes(), &Limits::DEFAULT).expect("an ordinary path");
            for kind in [Kind::Directory, Kind::File { executable: false, size }] {
                let entry = Entry { path: path.clone(), kind };
                let head = entry.head();
                assert_eq!(entry.head_len(), head.len() as u64, "{name}");
                assert!(head.ends_with(&[0; 167]), "{name}");
                assert_eq!((kind.size() + entry.padding()) % 512, 0);
            }
        }
        assert_eq!(END_LEN, 1024);
    }
}
