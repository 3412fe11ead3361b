//! Reads a repository on this machine, in place.

use std::path::Path;

use git2::{BranchType, ErrorCode, Repository};
use schema::CommitId;

use super::branch::BranchName;
use super::error::SourceError;
use super::repository::RepositoryUrl;

/// Opens the repository at `path`, bare or not, without searching in the folders above.
///
/// Not `open_bare`, which saves a step but does not ask whose the repository is: another user's repository could bring a
/// configuration along that makes git do that user's bidding.
pub(super) fn open(path: &Path) -> Result<Repository, SourceError> {
    Repository::open(path).map_err(|source| match source.code() {
        ErrorCode::Owner => SourceError::ForeignOwner { path: path.to_owned() },
        ErrorCode::Invalid if source.message().contains("object format") => {
            SourceError::ObjectFormat { path: path.to_owned() }
        }
        _ => SourceError::Open { path: path.to_owned(), source },
    })
}

/// The commit that `branch` points to.
pub(super) fn tip(repository: &Repository, branch: &BranchName, url: &RepositoryUrl) -> Result<CommitId, SourceError> {
    let unreadable = |source| SourceError::Read { branch: branch.clone(), path: repository.path().to_owned(), source };
    let reference = match repository.find_reference(&branch.reference()) {
        Ok(reference) => reference,
        Err(error) if error.code() == ErrorCode::NotFound => return Err(absent(repository, branch, url)),
        Err(error) => return Err(unreadable(error)),
    };
    let commit = reference.resolve().and_then(|direct| direct.peel_to_commit()).map_err(unreadable)?;
    Ok(commit.id().to_string().parse().expect("git writes ids in lower-case hex"))
}

fn absent(repository: &Repository, branch: &BranchName, url: &RepositoryUrl) -> SourceError {
    let branches = repository.branches(Some(BranchType::Local)).into_iter().flatten().flatten();
    let names: Vec<String> =
        branches.filter_map(|(branch, _)| Some(format!("`{}`", branch.name().ok()??.escape_debug()))).take(6).collect();
    let (branch, repository) = (branch.clone(), url.clone());
    match names.len() {
        0 => SourceError::Empty { branch, repository },
        1..=5 => SourceError::NoBranch { branch, repository, others: format!(", only {}", names.join(", ")) },
        _ => {
            SourceError::NoBranch { branch, repository, others: format!(", but {} and others", names[..5].join(", ")) }
        }
    }
}
