//! A version on the disk, read into memory as the archive that it was unpacked from: what a patch goes against, and what files are
//! compared with that a patch may have left as they were.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use schema::archive::{Kind, Summary};
use schema::{Digest, EntryPath};

use super::rearchive::{RearchiveError, rearchive_into};

/// A version whose every byte was read.
#[derive(Debug)]
pub(crate) struct Base {
    root: PathBuf,
    archive: Vec<u8>,
    digest: Digest,
    files: BTreeMap<EntryPath, Content>,
}

/// A file in the archive.
#[derive(Debug)]
struct Content {
    executable: bool,
    /// Where its bytes are.
    range: Range<usize>,
}

impl Base {
    /// Reads the version at `root`, until `pause` says that it is enough. Holds all of it, which may be `max_bytes`.
    ///
    /// # Errors
    /// [`RearchiveError`]; [`RearchiveError::TooLarge`] before a byte of it is read.
    pub(crate) fn read(
        root: PathBuf,
        max_bytes: u64,
        mut pause: impl FnMut() -> ControlFlow<()>,
    ) -> Result<Base, RearchiveError> {
        let (mut at, mut files) = (0, BTreeMap::new());
        // All of it at once: what grows has for a moment up to three times its size.
        let memory = |bytes: u64| {
            let room = usize::try_from(bytes).ok().filter(|_| bytes <= max_bytes).map(Vec::with_capacity);
            room.ok_or_else(|| RearchiveError::TooLarge { root: root.clone(), bytes, max_bytes })
        };
        let (archive, Summary { digest, .. }) = rearchive_into(&root, memory, |entry| {
            let start = at + entry.head_len() as usize;
            let end = start + entry.kind.size() as usize;
            at = end + entry.padding() as usize;
            if let Kind::File { executable, .. } = entry.kind {
                files.insert(entry.path, Content { executable, range: start..end });
            }
            pause()
        })?;
        Ok(Base { root, archive, digest, files })
    }

    /// The folder that it was read from.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// What bundle it is.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// The archive, byte for byte.
    pub(super) fn archive(&self) -> &[u8] {
        &self.archive
    }

    /// The content of the file at `path`, if there is one of that kind.
    pub(super) fn content(&self, path: &EntryPath, executable: bool) -> Option<&[u8]> {
        let content = self.files.get(path).filter(|content| content.executable == executable)?;
        Some(&self.archive[content.range.clone()])
    }
}
