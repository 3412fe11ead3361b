//! The proof itself: every new commit on every parent is signed by somebody who may.

use schema::{CommitId, Timestamp, TreeId};

use super::first_seen::{FirstSeen, FirstSeenError};
use super::object::CommitObject;
use super::walk::{self, Commits, WalkError};
use crate::signers::{SignatureRefusal, SignerPolicy};

/// Where judging begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// After the commit published last, which was judged then.
    Published {
        /// That commit.
        commit: CommitId,
        /// Its `release_seq`, if its manifest is at hand; else all its history is counted.
        release_seq: Option<u64>,
    },
    /// After a commit that an operator vouches for, with all the history before it.
    Adopted(CommitId),
    /// At the very first commit.
    Beginning,
}

impl Base {
    fn commit(&self) -> Option<&CommitId> {
        match self {
            Base::Published { commit, .. } | Base::Adopted(commit) => Some(commit),
            Base::Beginning => None,
        }
    }
}

/// A commit whose history since the base was judged and found signed. Made by [`verify_commits`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCommit {
    id: CommitId,
    tree: TreeId,
    release_seq: u64,
}

impl VerifiedCommit {
    /// The commit.
    pub fn id(&self) -> &CommitId {
        &self.id
    }

    /// Its tree, as it stands in the signed bytes.
    pub fn tree(&self) -> &TreeId {
        &self.tree
    }

    /// How many commits are reachable from it: grows along every history, and is the same for everyone.
    pub fn release_seq(&self) -> u64 {
        self.release_seq
    }
}

/// Says why a tip is not proven.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The history cannot be walked, or does not continue the published one.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// A commit was not signed by somebody who may.
    #[error("commit {} (\"{summary}\") is not to be published, nor is anything that builds on it", commit.short())]
    Unproven {
        /// The commit; the first in the order of dates.
        commit: CommitId,
        /// The first line of its message, escaped.
        summary: String,
        /// Why.
        #[source]
        refusal: SignatureRefusal,
    },
    /// First sights cannot be recorded.
    #[error("nothing was judged, because when it was first seen cannot be recorded")]
    FirstSeen(#[from] FirstSeenError),
}

impl ProofError {
    /// Whether the branch was moved away from what is published, which an operator may want to confirm.
    pub fn is_force_push(&self) -> bool {
        matches!(self, ProofError::Walk(WalkError::ForcePush { .. }))
    }

    /// Whether the objects at hand are damaged or missing, so that a fresh copy may help.
    pub fn is_damage(&self) -> bool {
        matches!(self, ProofError::Walk(WalkError::Unreadable { .. }))
    }
}

/// Judges every commit that `tip` has and `base` has not, on all parents, each by the time it was first seen.
///
/// Blocks: reads objects, checks signatures and syncs a file.
///
/// # Errors
/// [`ProofError`] with the first commit that is in the way. What was first seen stays recorded.
pub fn verify_commits(
    repository: &git2::Repository,
    policy: &SignerPolicy,
    first_seen: &mut FirstSeen,
    base: &Base,
    tip: &CommitId,
    now: Timestamp,
) -> Result<VerifiedCommit, ProofError> {
    let commits = Commits::of(repository, tip)?;
    let new = walk::new_commits(&commits, base.commit(), tip)?;
    first_seen.record(new.iter(), now)?;
    for id in &new {
        let commit = commits.read(id)?;
        judge(&commit, policy, first_seen.of(id).unwrap_or(now)).map_err(|refusal| ProofError::Unproven {
            commit: id.clone(),
            summary: commit.summary(),
            refusal,
        })?;
    }
    let release_seq = match base {
        Base::Published { release_seq: Some(published), .. } => published.saturating_add(new.len() as u64),
        _ => walk::count(&commits, tip)?,
    };
    Ok(VerifiedCommit { id: tip.clone(), tree: commits.read(tip)?.tree, release_seq })
}

fn judge(commit: &CommitObject, policy: &SignerPolicy, first_seen: Timestamp) -> Result<(), SignatureRefusal> {
    let signer = policy.judge(commit.signed(), first_seen)?;
    tracing::debug!(principal = %signer.principal, key = signer.key_fingerprint, "Judged a commit good");
    Ok(())
}

#[cfg(test)]
mod tests;
