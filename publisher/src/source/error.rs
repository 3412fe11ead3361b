//! Why the branch's tip cannot be told.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::branch::BranchName;
use super::repository::RepositoryUrl;

/// Says why the branch's tip, or an object, cannot be had. What is published stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The repository cannot be opened.
    #[error("the repository `{}` cannot be opened", path.display())]
    Open {
        /// Where it is.
        path: PathBuf,
        /// What git says.
        #[source]
        source: git2::Error,
    },
    /// Another user could change the repository, and with it what git does.
    #[error("the repository `{}` belongs to another user; run as its owner, or list it as safe.directory in the git configuration", path.display())]
    ForeignOwner {
        /// Where it is.
        path: PathBuf,
    },
    /// Its ids are not of SHA-1, which is all that is supported.
    #[error(
        "the repository `{}` has ids of SHA-256, which are not supported; convert it to one with ids of SHA-1 (git fast-export and \
         fast-import), and sign its tip",
        path.display()
    )]
    ObjectFormat {
        /// Where it is.
        path: PathBuf,
    },
    /// There are commits, but no such branch.
    #[error("there is no branch `{branch}` in {repository}{others}; nothing is published until there is")]
    NoBranch {
        /// The branch that was asked for.
        branch: BranchName,
        /// Where.
        repository: RepositoryUrl,
        /// The branches that are there, as the end of a sentence part; empty where they are not known.
        others: String,
    },
    /// There is no commit at all.
    #[error("the repository {repository} is empty; nothing is published until `{branch}` has a commit")]
    Empty {
        /// The branch that was asked for.
        branch: BranchName,
        /// Where.
        repository: RepositoryUrl,
    },
    /// The branch cannot be read.
    #[error("the branch `{branch}` of `{}` cannot be read", path.display())]
    Read {
        /// The branch.
        branch: BranchName,
        /// The repository or its mirror.
        path: PathBuf,
        /// What git says.
        #[source]
        source: git2::Error,
    },
    /// The program `git` is not there.
    #[error("`git` cannot be run, and a remote repository is fetched with it; install git")]
    NoGit(#[source] io::Error),
    /// `git fetch` failed.
    #[error("fetching `{branch}` from {repository} failed: {said}")]
    Fetch {
        /// The branch.
        branch: BranchName,
        /// From where.
        repository: RepositoryUrl,
        /// What git wrote, escaped and cut, or how it ended.
        said: String,
    },
    /// `git fetch` took too long and was killed.
    #[error("fetching `{branch}` from {repository} did not end within {} s", deadline.as_secs())]
    TooSlow {
        /// The branch.
        branch: BranchName,
        /// From where.
        repository: RepositoryUrl,
        /// How long it had.
        deadline: Duration,
    },
    /// The folder of the mirror is in use for something else.
    #[error("`{}` is neither empty nor a mirror; remove it if nobody needs it, or name another folder as `state`", path.display())]
    NotAMirror {
        /// The folder.
        path: PathBuf,
    },
    /// The mirror cannot be kept.
    #[error("the mirror `{}` cannot be {attempted}", path.display())]
    Mirror {
        /// Its folder.
        path: PathBuf,
        /// `made`, `read` or `removed`.
        attempted: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}
