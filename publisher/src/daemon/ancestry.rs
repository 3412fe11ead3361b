//! How commits are related, asked of the repository.

use std::path::PathBuf;
use std::sync::Arc;

use git2::{ErrorCode, Oid, Repository};
use schema::{App, CommitId, Digest, Region};

use super::origin;
use crate::compile::{BlobId, Compilation, Layout};
use crate::overrides::Lifted;
use crate::publish::{Ancestry, AncestryError, AncestryFault, Origin, Relation};

/// The history of one commit in one repository.
pub(super) struct GitAncestry {
    /// The repository's folder. Opened for each question, because an open repository belongs to one thread.
    pub(super) objects: PathBuf,
    pub(super) tip: CommitId,
    /// Moves that two principals lifted: what was left behind counts as history of what was published over it.
    pub(super) lifted: Arc<[Lifted]>,
    /// What the tip compiles to: earlier commits are listed by what is known from it.
    pub(super) compilation: Arc<Compilation>,
}

impl Ancestry for GitAncestry {
    fn relation(&self, standing: &CommitId) -> Result<Relation, AncestryError> {
        let related = Repository::open(&self.objects).and_then(|repository| {
            let histories = Histories { repository: &repository, lifted: &self.lifted };
            if histories.supersedes(&self.tip, standing)? {
                Ok(Relation::Contained)
            } else if histories.supersedes(standing, &self.tip)? {
                Ok(Relation::Ahead)
            } else {
                Ok(Relation::Apart)
            }
        });
        related.map_err(|source| AncestryError { standing: standing.clone(), source: source.into() })
    }

    fn origin(&self, earlier: &CommitId, app: &App, digest: &Digest) -> Result<Option<Origin>, AncestryError> {
        let origin = origin::origin(&self.objects, &self.tip, earlier, app, digest);
        origin.map_err(|source| AncestryError { standing: earlier.clone(), source })
    }

    fn layout(&self, earlier: &CommitId, app: &App, region: &Region) -> Result<Option<Layout>, AncestryFault> {
        origin::layout(&self.objects, &self.compilation, earlier, (app, region))
    }

    fn blobs(&self, blobs: &[BlobId]) -> Result<Vec<Vec<u8>>, AncestryFault> {
        origin::blobs(&self.objects, blobs)
    }
}

/// Histories in one repository, and across moves that were lifted.
pub(super) struct Histories<'h> {
    pub(super) repository: &'h Repository,
    pub(super) lifted: &'h [Lifted],
}

impl Histories<'_> {
    /// Whether `old` is `new`, or in its history, or was left behind for something in its history.
    fn supersedes(&self, new: &CommitId, old: &CommitId) -> Result<bool, git2::Error> {
        let mut reached = vec![new];
        let mut untried: Vec<&Lifted> = self.lifted.iter().collect();
        while let Some(from) = reached.pop() {
            if contains(self.repository, from, old)? {
                return Ok(true);
            }
            let mut still_untried = Vec::new();
            for lifted in untried {
                if contains(self.repository, from, &lifted.publish)? {
                    reached.push(&lifted.over);
                } else {
                    still_untried.push(lifted);
                }
            }
            untried = still_untried;
        }
        Ok(false)
    }
}

/// Whether `old` is `new` or in its history. A commit that the repository does not have is in none.
pub(super) fn contains(repository: &Repository, new: &CommitId, old: &CommitId) -> Result<bool, git2::Error> {
    if new == old {
        return Ok(true);
    }
    match repository.graph_descendant_of(Oid::from_str(new.as_str())?, Oid::from_str(old.as_str())?) {
        Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
        answer => answer,
    }
}

/// The one of `commits` that has all others in its history.
pub(super) fn newest_of<'c>(
    histories: &Histories<'_>,
    commits: impl Iterator<Item = &'c CommitId> + Clone,
) -> Result<Option<&'c CommitId>, git2::Error> {
    let mut newest: Option<&CommitId> = None;
    for commit in commits.clone() {
        if newest.is_none_or(|newest| matches!(histories.supersedes(commit, newest), Ok(true))) {
            newest = Some(commit);
        }
    }
    let Some(newest) = newest else { return Ok(None) };
    for commit in commits {
        if !histories.supersedes(newest, commit)? {
            return Ok(None);
        }
    }
    Ok(Some(newest))
}
