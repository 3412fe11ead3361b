//! Unpacks a bundle into a folder of its own.
//!
//! In: the bytes of a bundle or of a patch, whose sha256 was checked, what the manifest signs about them, and perhaps the version
//! before. Out: a tree that [`Unpacked::sync`] makes durable. No more bytes or entries are written than were signed, and no path leaves the
//! folder: the strict reader refuses those that would.
//!
//! A file that is the same as in the version before, compared while it is unpacked, is that file under a second name. Where all of that
//! version was read a moment ago, for the sake of a patch, it is not read again: what is compared are the bytes that were hashed.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use schema::archive::{Kind, ReadError, Reader, Summary};
use schema::encoding::Decoder;
use schema::manifest::{Manifest, Patch};
use schema::{Digest, EntryPath, Limits};

use super::base::Base;
use super::twin::Twin;
use super::{DiskError, failed_at};
use crate::disk;

/// A tree that is whole and not yet durable.
#[derive(Debug)]
pub(crate) struct Unpacked {
    root: PathBuf,
    /// Files that were written; the others are names of files that are durable already.
    written: Vec<PathBuf>,
    /// The root first, and every directory before those in it.
    directories: Vec<PathBuf>,
}

impl Unpacked {
    /// Makes everything durable, from the leaves to the root.
    ///
    /// # Errors
    /// [`DiskError`]: the tree must be thrown away, because after a failed sync the system takes lost pages for clean
    /// ones, and a second sync would succeed without them.
    pub(crate) fn sync(&self) -> Result<(), DiskError> {
        for path in self.written.iter().chain(self.directories.iter().rev()) {
            disk::sync(path).map_err(failed_at(path, "synced"))?;
        }
        Ok(())
    }

    /// The folder it is in.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

/// Says why a bundle could not be unpacked. What was unpacked until then is to be removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// It is no zstd frame as it must be.
    #[error("the bundle cannot be decompressed")]
    Frame(#[source] std::io::Error),
    /// It is no archive as it must be.
    #[error("the bundle cannot be unpacked")]
    Archive(#[source] ReadError),
    /// A file in it ends early, or the frame does.
    #[error("`{}` in the bundle cannot be read", entry.escape_debug())]
    Content {
        /// The file.
        entry: String,
        /// What the reader says.
        #[source]
        source: std::io::Error,
    },
    /// It is an archive, but not the one that the manifest names.
    #[error("the bundle is not the one that was signed: {found}, not {signed}")]
    Other {
        /// Digest of what was unpacked.
        found: Digest,
        /// The digest that was signed.
        signed: Digest,
    },
    /// It has another size or another number of entries than was signed.
    #[error("the bundle has {} bytes and {} entries, other than was signed", .found.size, .found.entries)]
    Measures {
        /// What was unpacked.
        found: Summary,
    },
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Unpacks `bundle` as the new folder `root`. `base` is the version before.
///
/// # Errors
/// [`UnpackError`].
pub(crate) fn unpack(
    bundle: File,
    manifest: &Manifest,
    base: Option<&Path>,
    root: PathBuf,
) -> Result<Unpacked, UnpackError> {
    let whole = manifest.whole();
    let decoder = Decoder::new(BufReader::new(bundle), manifest.size, whole.window_log).map_err(UnpackError::Frame)?;
    unpack_archive(decoder, manifest, base.map_or(Before::Nothing, Before::Tree), root)
}

/// Unpacks what `patch`, read from `frame`, makes of `base` as the new folder `root`.
///
/// # Errors
/// [`UnpackError`].
pub(crate) fn unpack_patch(
    frame: impl BufRead,
    patch: &Patch,
    base: &Base,
    manifest: &Manifest,
    root: PathBuf,
) -> Result<Unpacked, UnpackError> {
    let decoder = Decoder::against(frame, base.archive(), manifest.size, patch.window_log);
    unpack_archive(decoder.map_err(UnpackError::Frame)?, manifest, Before::Read(base), root)
}

fn unpack_archive(
    archive: impl Read,
    manifest: &Manifest,
    before: Before<'_>,
    root: PathBuf,
) -> Result<Unpacked, UnpackError> {
    let limits = Limits { bundle_max_bytes: manifest.size, entries_max: manifest.entries, ..Limits::DEFAULT };
    let mut archive = Reader::new(BufReader::with_capacity(CHUNK, archive), limits);
    let mut unpacking = Unpacking { before, chunk: vec![0; CHUNK], done: Unpacked::begin(root)? };
    while let Some(entry) = archive.next_entry().map_err(UnpackError::Archive)? {
        match entry.kind {
            Kind::Directory => unpacking.directory(entry.path.as_str())?,
            Kind::File { executable, size } => {
                unpacking.file(&entry.path, executable, size, &mut archive.content())?;
            }
        }
    }
    let found = archive.finish().map_err(UnpackError::Archive)?;
    if found.digest != manifest.digest {
        return Err(UnpackError::Other { found: found.digest, signed: manifest.digest });
    }
    if (found.size, found.entries) != (manifest.size, manifest.entries) {
        return Err(UnpackError::Measures { found });
    }
    Ok(unpacking.done.close()?)
}

impl Unpacked {
    fn begin(root: PathBuf) -> Result<Unpacked, DiskError> {
        fs::create_dir(&root).map_err(failed_at(&root, "made"))?;
        Ok(Unpacked { directories: vec![root.clone()], written: Vec::new(), root })
    }

    /// Takes the right to write from every directory but the root, which cannot be renamed without it.
    fn close(self) -> Result<Unpacked, DiskError> {
        for directory in self.directories.iter().skip(1) {
            let mode = Permissions::from_mode(DIRECTORY);
            fs::set_permissions(directory, mode).map_err(failed_at(directory, "made read-only"))?;
        }
        Ok(self)
    }
}

/// The version before.
#[derive(Clone, Copy)]
enum Before<'a> {
    Nothing,
    /// As it is on the disk.
    Tree(&'a Path),
    /// As it was read a moment ago.
    Read(&'a Base),
}

impl<'a> Before<'a> {
    /// The file at `path`, if there is one that may be the same.
    fn twin(self, path: &EntryPath, executable: bool, size: u64) -> Option<Twin<'a>> {
        match self {
            Before::Nothing => None,
            Before::Tree(root) => Twin::open(root.join(path.as_str()), size, mode_of(executable)),
            Before::Read(base) => {
                let content = base.content(path, executable)?;
                Twin::read(base.root().join(path.as_str()), content, size, mode_of(executable))
            }
        }
    }
}

struct Unpacking<'a> {
    before: Before<'a>,
    chunk: Vec<u8>,
    done: Unpacked,
}

impl Unpacking<'_> {
    fn directory(&mut self, path: &str) -> Result<(), DiskError> {
        let target = self.done.root.join(path);
        fs::create_dir(&target).map_err(failed_at(&target, "made"))?;
        self.done.directories.push(target);
        Ok(())
    }

    fn file(
        &mut self,
        path: &EntryPath,
        executable: bool,
        size: u64,
        content: &mut impl Read,
    ) -> Result<(), UnpackError> {
        let target = self.done.root.join(path.as_str());
        let mut twin = self.before.twin(path, executable, size);
        let mut file = match twin {
            Some(_) => None,
            None => Some(self.create(&target)?),
        };
        loop {
            let length = content
                .read(&mut self.chunk)
                .map_err(|source| UnpackError::Content { entry: path.to_string(), source })?;
            let bytes = &self.chunk[..length];
            if length == 0 {
                break;
            }
            if twin.as_mut().is_some_and(|twin| twin.goes_on_with(bytes)) {
                continue;
            }
            let file = match (&mut file, twin.take()) {
                (Some(file), _) => file,
                (none, twin) => none.insert(self.create_like(&target, twin)?),
            };
            file.write_all(&self.chunk[..length]).map_err(failed_at(&target, "written"))?;
        }
        // Some file systems link less often than others, or not at all.
        if let Some(twin) = twin.take_if(|twin| twin.link_to(&target).is_err()) {
            file = Some(self.create_like(&target, Some(twin))?);
        }
        if let Some(file) = file {
            // Only now, so that no umask has a say.
            file.set_permissions(Permissions::from_mode(mode_of(executable)))
                .map_err(failed_at(&target, "made read-only"))?;
        }
        Ok(())
    }

    fn create(&mut self, target: &Path) -> Result<File, DiskError> {
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o600).open(target).map_err(failed_at(target, "made"))?;
        self.done.written.push(target.to_owned());
        Ok(file)
    }

    /// Creates the file with what was equal so far in it.
    fn create_like(&mut self, target: &Path, twin: Option<Twin<'_>>) -> Result<File, DiskError> {
        let mut file = self.create(target)?;
        if let Some(mut twin) = twin {
            twin.copy_to(&mut file).map_err(failed_at(target, "copied from the version before"))?;
        }
        Ok(file)
    }
}

fn mode_of(executable: bool) -> u32 {
    if executable { PROGRAM } else { FILE }
}

pub(crate) const DIRECTORY: u32 = 0o555;
const FILE: u32 = 0o444;
const PROGRAM: u32 = 0o555;
const CHUNK: usize = 64 * 1024;
