//! What can be wrong with a tree, said so that its author can put it right.

use std::fmt;

use schema::path::PathFault;
use schema::yaml::InvalidYaml;

use super::objects::ObjectsError;

/// How many problems are listed at most.
pub(super) const LISTED_MAX: usize = 10;

/// Says why a tree does not compile.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The author has to change something.
    #[error("the configuration does not compile: {0}")]
    Refused(Problems),
    /// The repository cannot be read: no fault of the author's, and a fresh copy may help.
    #[error("the configuration cannot be read")]
    Unreadable(#[from] ObjectsError),
}

/// One to ten problems, and how many more there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    listed: Vec<Problem>,
    unlisted: usize,
}

impl Problems {
    /// The problems, in the order of `driftless.yaml` and then of paths.
    pub fn listed(&self) -> &[Problem] {
        &self.listed
    }

    /// How many more there are.
    pub fn unlisted(&self) -> usize {
        self.unlisted
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = self.listed.len() - 1 + self.unlisted;
        write!(f, "{}", self.listed[0])?;
        if more > 0 { write!(f, " (and {more} more)") } else { Ok(()) }
    }
}

/// Gathers problems while compiling goes on.
#[derive(Debug, Default)]
pub(super) struct Found {
    listed: Vec<Problem>,
    unlisted: usize,
}

impl Found {
    /// Notes `problem`, unless it is known already.
    pub(super) fn note(&mut self, problem: impl Into<Problem>) {
        let problem = problem.into();
        if self.listed.contains(&problem) {
            return;
        }
        if self.listed.len() < LISTED_MAX { self.listed.push(problem) } else { self.unlisted += 1 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub(super) fn end(self) -> Result<(), CompileError> {
        if self.listed.is_empty() {
            return Ok(());
        }
        Err(CompileError::Refused(Problems { listed: self.listed, unlisted: self.unlisted }))
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The tree is no config repository.
    #[error("there is no `driftless.yaml` at the top of the repository; add one that names the regions and apps")]
    NoDocument,
    /// Something in `driftless.yaml`, with its place.
    #[error(transparent)]
    Document(#[from] InvalidYaml),
    /// A file or directory that cannot be distributed.
    #[error("`{}` {wrong}", path.escape_debug())]
    Path {
        /// Its full path in the repository, lossily decoded.
        path: String,
        /// What is wrong, and what to do.
        wrong: PathProblem,
    },
    /// An app that is too much for one bundle.
    #[error("app `{app}` {wrong}")]
    App {
        /// The app.
        app: schema::App,
        /// What is wrong, and what to do.
        wrong: String,
    },
}

/// Why a file or directory cannot be distributed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// Its name or path.
    #[error("cannot be distributed: {0}; rename it")]
    Name(PathFault),
    /// A name that has a `/` in it.
    #[error("is one tree entry with a `/` in its name, which only a broken or hostile tool writes; remove it")]
    Slash,
    /// A symbolic link.
    #[error("is a symbolic link; only regular files are distributed, so commit a copy of what it points to")]
    Symlink,
    /// A submodule.
    #[error("is a submodule; only regular files are distributed, so commit the files themselves")]
    Submodule,
    /// A mode that git does not write.
    #[error("has the mode {mode:o}, which is neither a regular file nor a directory; commit it anew")]
    Mode {
        /// The mode.
        mode: u32,
    },
    /// The same name twice in one tree.
    #[error("is there twice in the same directory, which only a broken or hostile tool writes; remove one")]
    Twice,
    /// A name like another one but for case.
    #[error("differs from `{}` by case alone, and some file systems take the two for one; rename one", other.escape_debug())]
    CaseTwin {
        /// The other.
        other: String,
    },
    /// A file where another layer has a directory.
    #[error("is a file, and `{}` is a directory at the same place; rename one", other.escape_debug())]
    FileOverDirectory {
        /// The other.
        other: String,
    },
    /// A merge patch.
    #[error("is a merge patch, which this version does not support; put the whole file into the overlay")]
    Patch,
    /// A file over the limit.
    #[error("has {size} bytes, the limit for one file is {max}; keep large data elsewhere")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// A tree object that is not one.
    #[error("is a directory that git cannot read either; run `git fsck`")]
    NotATree,
}
