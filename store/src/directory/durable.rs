//! Makes folders and entries survive a power cut.
//!
//! A file is durable when its bytes are, its entry in its folder is, and so is that folder's entry in the one above, up to
//! the root. A folder that stands there says nothing of its own entry: another process may have made it a moment ago, or
//! died between making and syncing it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The folders below a root whose entry in the folder above is known to be durable.
#[derive(Debug)]
pub(super) struct Entries {
    root: Arc<Path>,
    durable: Mutex<HashSet<PathBuf>>,
}

impl Entries {
    pub(super) fn below(root: Arc<Path>) -> Entries {
        Entries { root, durable: Mutex::default() }
    }

    /// Syncs the entries of all folders on the way to `file`, each of them once in the life of this process.
    pub(super) fn sync(&self, file: &Path) -> io::Result<()> {
        for folder in file.ancestors().skip(1).take_while(|folder| **folder != *self.root) {
            if !self.durable().contains(folder) {
                sync(above(folder))?;
                self.durable().insert(folder.to_owned());
            }
        }
        Ok(())
    }

    fn durable(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        // A set is whole between any two calls, so a panic elsewhere took nothing from it.
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the folder at `path` and those above it that are absent, and syncs their entries.
pub(super) fn create_dir_all(path: &Path) -> io::Result<()> {
    let absent: Vec<&Path> = path.ancestors().take_while(|folder| !is_here(folder) && !folder.exists()).collect();
    fs::create_dir_all(path)?;
    absent.into_iter().try_for_each(|made| sync(above(made)))
}

/// Syncs the bytes of `file` and its entry.
pub(super) fn sync_entry(file: &Path) -> io::Result<()> {
    sync(file)?;
    sync(above(file))
}

/// Syncs one file, or the entries of one folder.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The folder that holds the entry of `path`.
pub(super) fn above(path: &Path) -> &Path {
    path.parent().filter(|folder| !is_here(folder)).unwrap_or(Path::new("."))
}

/// Whether `folder` is what is above a path of one name.
fn is_here(folder: &Path) -> bool {
    folder.as_os_str().is_empty()
}
