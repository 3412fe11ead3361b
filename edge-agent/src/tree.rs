//! Trees of files on the disk: made from a bundle, made durable, archived again, removed.
//!
//! Everything here blocks. Trees are read-only (files 0444 or 0555, directories 0555), and hold regular files and directories
//! only: nothing here makes or follows a link to elsewhere.

mod base;
mod rearchive;
mod remove;
mod twin;
mod unpack;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use base::Base;
pub(crate) use rearchive::rearchive_pausing;
pub use rearchive::{RearchiveError, rearchive};
pub(crate) use remove::remove;
pub(crate) use unpack::{DIRECTORY, UnpackError, Unpacked, unpack, unpack_patch};

/// Says that the host's own disk refused.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be {doing}", path.display())]
pub struct DiskError {
    /// What it was about.
    pub path: PathBuf,
    /// What was being done with it, as a participle.
    pub doing: &'static str,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

/// Names the object of a system call that failed.
pub(crate) fn failed_at(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> DiskError {
    move |source| DiskError { path: path.to_owned(), doing, source }
}

#[cfg(test)]
pub(crate) mod tests;
