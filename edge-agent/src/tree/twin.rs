//! A file of the version before that may turn out to be the same, byte for byte.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// A regular file that is compared with content as it comes.
pub(super) struct Twin {
    path: PathBuf,
    file: File,
    /// How many bytes were equal so far.
    equal: u64,
    chunk: Vec<u8>,
}

impl Twin {
    /// Opens `path` if it has that length and mode; length and mode tell what is different, never what is the same.
    pub(super) fn open(path: PathBuf, size: u64, mode: u32) -> Option<Twin> {
        let alike =
            |metadata: &Metadata| metadata.is_file() && metadata.len() == size && metadata.mode() & 0o7777 == mode;
        let flags = OFlags::NOFOLLOW.bits() as i32;
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(&path).ok()?;
        let alike = file.metadata().is_ok_and(|metadata| alike(&metadata));
        alike.then(|| Twin { path, file, equal: 0, chunk: Vec::new() })
    }

    /// Whether the file goes on with `bytes`. A file that cannot be read does not.
    pub(super) fn goes_on_with(&mut self, bytes: &[u8]) -> bool {
        self.chunk.resize(bytes.len(), 0);
        let same = self.file.read_exact(&mut self.chunk).is_ok() && self.chunk == bytes;
        if same {
            self.equal += bytes.len() as u64;
        }
        same
    }

    /// Writes what was equal so far to `out`.
    pub(super) fn copy_to(&mut self, out: &mut File) -> io::Result<()> {
        self.file.rewind()?;
        let copied = io::copy(&mut (&mut self.file).take(self.equal), out)?;
        if copied == self.equal { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Gives the file a second name, if the file system allows.
    pub(super) fn link_to(&self, path: &Path) -> io::Result<()> {
        fs::hard_link(&self.path, path)
    }
}
