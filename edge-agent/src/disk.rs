//! The calls that durability rests on: syncs, and the renames between them.
//!
//! Everything here blocks. Each call leaves a trace line when it has succeeded. A kill cannot show that a sync is missing,
//! because what was not synced survives it; the order of those lines can (`tests/agent/order.rs`).

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use fail::fail_point;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tracing::trace;

/// Makes the file or folder at `path` durable: the content of a file, the entries of a folder.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    fail_point!("disk-sync", |_| Err(io::ErrorKind::StorageFull.into()));
    File::open(path)?.sync_all()?;
    trace!("synced {}", path.display());
    Ok(())
}

/// Appends `bytes` to `file`, which is at `path`, and makes them durable.
pub(crate) fn append(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_data()?;
    trace!("appended to {}", path.display());
    Ok(())
}

/// Renames `from` to `to` in one step. Not durable before the folder of `to` is synced.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    trace!("renamed {} to {}", from.display(), to.display());
    Ok(())
}

/// Lets `one` and `other` change places in one step. Not durable before the folders of both are synced.
///
/// Not every file system can; the error says so then, and nothing has changed.
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?;
    trace!("exchanged {} and {}", one.display(), other.display());
    Ok(())
}

/// Puts `bytes` at `path` in one durable step: whoever reads it finds what was there, or all of this.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = path.with_extension("next");
    fs::write(&next, bytes)?;
    sync(&next)?;
    rename(&next, path)?;
    sync(folder_of(path))
}

/// Makes the folder `path` and those above it where they are missing, each durable in the one above.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    create_folders(folder_of(path))?;
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
        _ => sync(folder_of(path)),
    }
}

/// Removes the file or link at `path`; nothing there is fine.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The folder that `path` is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
