//! Archives a tree again, to see whether it still is the bundle it was unpacked from.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use schema::archive::{Summary, WriteError, Writer};
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
    let mut found = BTreeMap::new();
    walk(root, root, &mut found)?;
    let mut archive = Writer::new(io::sink(), Limits::DEFAULT);
    for (path, place) in found {
        let metadata = place.symlink_metadata().map_err(failed_at(&place, "read"))?;
        let written = if metadata.is_dir() {
            archive.directory(path)
        } else {
            let mut file = File::open(&place).map_err(failed_at(&place, "read"))?;
            archive.file(path, metadata.permissions().mode() & 0o100 != 0, metadata.len(), &mut file)
        };
        written.map_err(|source| RearchiveError::Archive { root: root.to_owned(), source })?;
        if pause().is_break() {
            return Err(RearchiveError::Stopped);
        }
    }
    let (_, summary) = archive.finish().map_err(|source| RearchiveError::Archive { root: root.to_owned(), source })?;
    Ok(summary)
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
    /// Whoever asked wanted no more of it.
    #[error("stopped before its end")]
    Stopped,
    /// It cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<EntryPath, PathBuf>) -> Result<(), RearchiveError> {
    for entry in fs::read_dir(folder).map_err(failed_at(folder, "read"))? {
        let place = entry.map_err(failed_at(folder, "read"))?.path();
        let kind = place.symlink_metadata().map_err(failed_at(&place, "read"))?.file_type();
        if !kind.is_dir() && !kind.is_file() {
            return Err(RearchiveError::Foreign { path: place });
        }
        let relative = place.strip_prefix(root).expect("what was found below a folder is below it");
        // A path too deep for a bundle is refused here, so the walk ends however deep the tree is.
        let path = EntryPath::parse(relative.as_os_str().as_bytes(), &Limits::DEFAULT)?;
        if kind.is_dir() {
            walk(root, &place, found)?;
        }
        found.insert(path, place);
    }
    Ok(())
}
