//! The program of a hook and its arguments, and where the program is found.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Argv {
    program: PathBuf,
    arguments: Vec<String>,
}

impl Argv {
    /// The program: an absolute path, or a bare name to be looked up.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The arguments after it.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Makes a program with a slash count from `folder`. Without it, it would count from the tree that the hook runs in.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        if !self.is_bare_name() {
            self.program =
                std::path::absolute(folder.join(&self.program)).unwrap_or_else(|_| folder.join(&self.program));
        }
    }

    /// The program as a path, looked up in the absolute folders of `path` if it is a bare name.
    pub(super) fn find(&self, path: &OsStr) -> Option<PathBuf> {
        if !self.is_bare_name() {
            return Some(self.program.clone());
        }
        let mut places =
            env::split_paths(path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(&self.program));
        places.find(|place| rustix::fs::access(place, rustix::fs::Access::EXEC_OK).is_ok() && place.is_file())
    }

    fn is_bare_name(&self) -> bool {
        self.program.components().count() == 1 && !self.program.is_absolute() && !self.program.starts_with(".")
    }
}

/// Says that a list is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a hook runs at least a program, and neither it nor an argument holds a NUL; write `run: [systemctl, reload, nginx]`"
)]
pub struct InvalidArgv;

impl TryFrom<Vec<String>> for Argv {
    type Error = InvalidArgv;

    fn try_from(words: Vec<String>) -> Result<Argv, InvalidArgv> {
        if words.iter().any(|word| word.contains('\0')) {
            return Err(InvalidArgv);
        }
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or(InvalidArgv)?;
        Ok(Argv { program: program.into(), arguments: words.collect() })
    }
}

/// `path` without what would be looked up in the working directory.
pub(super) fn absolute_folders(path: &OsStr) -> OsString {
    let folders = env::split_paths(path).filter(|folder| folder.is_absolute());
    env::join_paths(folders).expect("folders that were split at colons hold none")
}
