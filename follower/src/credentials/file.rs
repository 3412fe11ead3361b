//! One small file that somebody else replaces now and then.
//!
//! In: a path and a limit. Out: its bytes, which are wiped from memory when dropped, or what is wrong with it.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::{CredentialFile, CredentialsError};

/// Differs when a file was written to or replaced.
///
/// The time of change is in it because `cp --preserve` and `touch` can set the one of modification to anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Nothing where the file cannot be seen.
    pub(crate) fn of(path: &Path) -> Option<Stamp> {
        let meta = fs::metadata(path).ok()?;
        Some(Stamp {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

/// Reads all of the file at `path`.
pub(super) fn read(
    file: CredentialFile,
    path: &Path,
    max_bytes: usize,
) -> Result<Zeroizing<Vec<u8>>, CredentialsError> {
    let unreadable = |source| CredentialsError::Unreadable { file, path: path.to_owned(), source };
    let unusable = |wrong| CredentialsError::Unusable { file, path: path.to_owned(), wrong };
    // Looked at before it is opened, because opening a pipe waits for whoever writes to it.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unusable("it is not a regular file"));
    }
    let opened = File::open(path).map_err(unreadable)?;
    // All the room at once: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(max_bytes + 1));
    opened.take(max_bytes as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > max_bytes {
        return Err(unusable("it is too long"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_file_of_any_length_and_what_is_no_file_are_refused() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("token");
        fs::write(&path, "12345")?;
        assert_eq!(**read(CredentialFile::Token, &path, 5).expect("within the limit"), *b"12345");
        for (path, max_bytes, expected) in [(&*path, 4, "too long"), (folder.path(), 5, "not a regular file")] {
            let refused = read(CredentialFile::Token, path, max_bytes).expect_err(expected);
            assert!(refused.to_string().ends_with(expected), "{refused}");
        }
        Ok(())
    }

    #[test]
    fn a_stamp_differs_after_a_write_and_after_a_rename() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("token");
        assert_eq!(Stamp::of(&path), None);
        fs::write(&path, "one")?;
        let first = Stamp::of(&path);
        assert_eq!(Stamp::of(&path), first);
        fs::write(&path, "three")?;
        let second = Stamp::of(&path);
        assert_ne!(second, first);
        fs::write(folder.path().join("new"), "three")?;
        fs::rename(folder.path().join("new"), &path)?;
        assert_ne!(Stamp::of(&path), second);
        Ok(())
    }
}
