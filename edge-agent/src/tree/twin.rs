//! A file of the version before that may turn out to be the same, byte for byte.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// A regular file that is compared with content as it comes.
pub(super) struct Twin<'a> {
    path: PathBuf,
    content: Content<'a>,
    /// How many bytes were equal so far.
    equal: u64,
}

/// Where its bytes are.
enum Content<'a> {
    /// On the disk.
    Unread { file: File, chunk: Vec<u8> },
    /// In memory, all of them.
    Read(&'a [u8]),
}

impl<'a> Twin<'a> {
    /// Opens `path` if it has that length and mode; length and mode tell what is different, never what is the same.
    pub(super) fn open(path: PathBuf, size: u64, mode: u32) -> Option<Twin<'static>> {
        let flags = OFlags::NOFOLLOW.bits() as i32;
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(&path).ok()?;
        let alike = file.metadata().is_ok_and(|metadata| is_alike(&metadata, size, mode));
        alike.then(|| Twin { path, content: Content::Unread { file, chunk: Vec::new() }, equal: 0 })
    }

    /// The file at `path`, of which `content` was just read, if it has that length and mode.
    pub(super) fn read(path: PathBuf, content: &'a [u8], size: u64, mode: u32) -> Option<Twin<'a>> {
        let alike = content.len() as u64 == size
            && path.symlink_metadata().is_ok_and(|metadata| is_alike(&metadata, size, mode));
        alike.then_some(Twin { path, content: Content::Read(content), equal: 0 })
    }

    /// Whether the file goes on with `bytes`. A file that cannot be read does not.
    pub(super) fn goes_on_with(&mut self, bytes: &[u8]) -> bool {
        let same = match &mut self.content {
            Content::Unread { file, chunk } => {
                chunk.resize(bytes.len(), 0);
                file.read_exact(chunk).is_ok() && chunk == bytes
            }
            Content::Read(content) => content[self.equal as usize..].starts_with(bytes),
        };
        if same {
            self.equal += bytes.len() as u64;
        }
        same
    }

    /// Writes what was equal so far to `out`.
    pub(super) fn copy_to(&mut self, out: &mut File) -> io::Result<()> {
        match &mut self.content {
            Content::Unread { file, .. } => {
                file.rewind()?;
                let copied = io::copy(&mut file.take(self.equal), out)?;
                if copied == self.equal { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
            }
            Content::Read(content) => out.write_all(&content[..self.equal as usize]),
        }
    }

    /// Gives the file a second name, if the file system allows.
    pub(super) fn link_to(&self, path: &Path) -> io::Result<()> {
        fs::hard_link(&self.path, path)
    }
}

fn is_alike(metadata: &Metadata, size: u64, mode: u32) -> bool {
    metadata.is_file() && metadata.len() == size && metadata.mode() & 0o7777 == mode
}
