//! What an earlier commit held, asked of the repository's folder.

use std::path::Path;

use git2::{Oid, Repository};
use schema::{CommitId, Limits};

use super::bundle::Compilation;
use super::contents::{Asked, Contents, contents_among};
use super::objects::GitObjects;
use super::problem::CompileError;

/// Says why it cannot be told what a commit held.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unlisted {
    /// The commit is not there.
    #[error("it is not in the repository")]
    Gone(#[source] git2::Error),
    /// Its tree is not one that this version compiles, or cannot be read.
    #[error(transparent)]
    Compile(CompileError),
}

/// A repository that is asked what its commits held, by what is known of one of them.
pub(crate) struct Earlier<'n> {
    repository: Repository,
    near: &'n Compilation,
}

impl<'n> Earlier<'n> {
    /// Opens the repository in `folder`. All calls block.
    pub(crate) fn open(folder: &Path, near: &'n Compilation) -> Result<Earlier<'n>, Unlisted> {
        Ok(Earlier { repository: Repository::open(folder).map_err(Unlisted::Gone)?, near })
    }

    /// Lists what `commit` would compile to.
    pub(crate) fn contents(&self, commit: &CommitId) -> Result<Contents, Unlisted> {
        self.among(commit, None)
    }

    /// Lists those of the files `asked` for that `commit` has.
    pub(crate) fn files(&self, commit: &CommitId, asked: &Asked) -> Result<Contents, Unlisted> {
        self.among(commit, Some(asked))
    }

    fn among(&self, commit: &CommitId, asked: Option<&Asked>) -> Result<Contents, Unlisted> {
        let tree = Oid::from_str(commit.as_str()).and_then(|id| Ok(self.repository.find_commit(id)?.tree_id()));
        let tree = tree.map_err(Unlisted::Gone)?.to_string().parse().expect("git writes ids in lower-case hex");
        let objects = GitObjects::of(&self.repository).map_err(Unlisted::Gone)?;
        contents_among(Some(self.near), &objects, &tree, &Limits::DEFAULT, asked).map_err(Unlisted::Compile)
    }
}
