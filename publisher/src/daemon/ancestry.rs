//! How commits are related, asked of the repository.

use std::path::PathBuf;

use git2::{ErrorCode, Oid, Repository};
use schema::CommitId;

use crate::publish::{Ancestry, AncestryError, Relation};

/// The history of one commit in one repository.
pub(super) struct GitAncestry {
    /// The repository's folder. Opened for each question, because an open repository belongs to one thread.
    pub(super) objects: PathBuf,
    pub(super) tip: CommitId,
}

impl Ancestry for GitAncestry {
    fn relation(&self, standing: &CommitId) -> Result<Relation, AncestryError> {
        let related = Repository::open(&self.objects).and_then(|repository| {
            if contains(&repository, &self.tip, standing)? {
                Ok(Relation::Contained)
            } else if contains(&repository, standing, &self.tip)? {
                Ok(Relation::Ahead)
            } else {
                Ok(Relation::Apart)
            }
        });
        related.map_err(|source| AncestryError { standing: standing.clone(), source })
    }
}

/// Whether `old` is `new` or in its history. A commit that the repository does not have is in none.
fn contains(repository: &Repository, new: &CommitId, old: &CommitId) -> Result<bool, git2::Error> {
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
    repository: &Repository,
    commits: impl Iterator<Item = &'c CommitId> + Clone,
) -> Result<Option<&'c CommitId>, git2::Error> {
    let mut newest: Option<&CommitId> = None;
    for commit in commits.clone() {
        if newest.is_none_or(|newest| matches!(contains(repository, commit, newest), Ok(true))) {
            newest = Some(commit);
        }
    }
    let Some(newest) = newest else { return Ok(None) };
    for commit in commits {
        if !contains(repository, newest, commit)? {
            return Ok(None);
        }
    }
    Ok(Some(newest))
}
