//! Archives a tree again: to see whether it still is the bundle it was unpacked from, or to have that bundle's archive.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use schema::archive::{END_LEN, Entry, Kind, Summary, WriteError, Writer};
use schema::path::InvalidPath;
use schema::{EntryPath, Limits};

use super::{DiskError, failed_at};

/// Archives everything below `root`, and says what the archive would be called. The archive itself goes nowhere.
///
/// # Errors
/// [`RearchiveError`] names what cannot have come from a bundle, or cannot be read.
pub fn rearchive(root: &Path) -> Result<Summary, RearchiveError> {
    rearchive_pausing(root, || ControlFlow::Continue(()))
}

/// The same, with `pause` called after each entry, which may take its time, and say that it is enough.
///
/// # Errors
/// Besides, [`RearchiveError::Stopped`].
pub(crate) fn rearchive_pausing(
    root: &Path,
    mut pause: impl FnMut() -> ControlFlow<()>,
) -> Result<Summary, RearchiveError> {
    rearchive_into(root, |_| Ok(io::sink()), |_| pause()).map(|(_, summary)| summary)
}

/// Archives everything below `root` into what `out` makes for an archive of so many bytes, and tells `each` entry once it is written;
/// it may say that it is enough.
///
/// # Errors
/// As [`rearchive_pausing`], and those of `out`.
pub(super) fn rearchive_into<W: Write>(
    root: &Path,
    out: impl FnOnce(u64) -> Result<W, RearchiveError>,
    mut each: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<(W, Summary), RearchiveError> {
    let mut found = Vec::new();
    walk(root, root, &mut found)?;
    found.sort_unstable_by(|one, other| one.entry.path.cmp(&other.entry.path));
    let out = out(found.iter().map(|Found { entry, .. }| len(entry)).fold(END_LEN, u64::saturating_add))?;
    let mut archive = Writer::new(out, Limits::DEFAULT);
    for Found { entry, place } in found {
        let path = entry.path.clone();
        let written = match entry.kind {
            Kind::Directory => archive.directory(path),
            Kind::File { executable, size } => {
                let mut file = File::open(&place).map_err(failed_at(&place, "read"))?;
                archive.file(path, executable, size, &mut file)
            }
        };
        written.map_err(|source| RearchiveError::Archive { root: root.to_owned(), source })?;
        if each(entry).is_break() {
            return Err(RearchiveError::Stopped);
        }
    }
    archive.finish().map_err(|source| RearchiveError::Archive { root: root.to_owned(), source })
}

/// Says why a tree is no bundle's.
#[derive(Debug, thiserror::Error)]
pub enum RearchiveError {
    /// Neither a regular file nor a directory.
    #[error("`{}` is neither a file nor a directory, so no bundle brought it", path.display().to_string().escape_debug())]
    Foreign {
        /// What it is about.
        path: PathBuf,
    },
    /// Its name cannot be in a bundle.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// It changes while it is read, or is larger than bundles are.
    #[error("`{}` cannot be archived", root.display())]
    Archive {
        /// The tree.
        root: PathBuf,
        /// What the writer says.
        #[source]
        source: WriteError,
    },
    /// Nothing is wrong with it, but its archive takes more memory than is spent on one.
    #[error("`{}` makes an archive of {bytes} bytes, and at most {max_bytes} are read into memory", root.display())]
    TooLarge {
        /// The tree.
        root: PathBuf,
        /// How large its archive is.
        bytes: u64,
        /// How large it may be.
        max_bytes: u64,
    },
    /// Whoever asked wanted no more of it.
    #[error("stopped before its end")]
    Stopped,
    /// It cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What is to be archived, and where it is.
struct Found {
    entry: Entry,
    place: PathBuf,
}

/// The bytes of one entry. What is too large for any archive is too large here as well.
fn len(entry: &Entry) -> u64 {
    match entry.kind.size() {
        size if size <= Limits::DEFAULT.bundle_max_bytes => entry.head_len() + size + entry.padding(),
        size => size,
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<Found>) -> Result<(), RearchiveError> {
    for entry in fs::read_dir(folder).map_err(failed_at(folder, "read"))? {
        let place = entry.map_err(failed_at(folder, "read"))?.path();
        let metadata = place.symlink_metadata().map_err(failed_at(&place, "read"))?;
        let kind = match metadata.file_type() {
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_file() => {
                Kind::File { executable: metadata.permissions().mode() & 0o100 != 0, size: metadata.len() }
            }
            _ => return Err(RearchiveError::Foreign { path: place }),
        };
        let relative = place.strip_prefix(root).expect("what was found below a folder is below it");
        // A path too deep for a bundle is refused here, so the walk ends however deep the tree is.
        let path = EntryPath::parse(relative.as_os_str().as_bytes(), &Limits::DEFAULT)?;
        if kind == Kind::Directory {
            walk(root, &place, found)?;
        }
        found.push(Found { entry: Entry { path, kind }, place });
    }
    Ok(())
}
