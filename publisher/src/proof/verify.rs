//! The proof itself: every new commit on every parent is signed by somebody who may.

use schema::{CommitId, Timestamp, TreeId};

use super::changes::{self, Changes};
use super::first_seen::FirstSeen;
use super::object::CommitObject;
use super::seal::{SealRefusal, Sealed};
use super::trailers::{self, Trailer};
use super::walk::{self, Commits, Known, WalkError};
use crate::ledger::LedgerError;
use crate::signers::{Mode, SignatureRefusal, Signer, SignerPolicy};

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
    /// After all that was judged or vouched for, though the tip leaves the published commit behind: an override lifted that.
    LeftBehind {
        /// The commit published last.
        published: CommitId,
        /// The commit that an operator vouches for.
        adopted: Option<CommitId>,
    },
    /// At the very first commit, or at a seal.
    Beginning,
}

/// A commit whose history since the base was judged and found signed. Made by [`verify_commits`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCommit {
    id: CommitId,
    tree: TreeId,
    release_seq: u64,
    trailers: Vec<Trailer>,
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

    /// What the commits since the published one that were judged one by one say to the publisher: all of them, or, in mode
    /// `head`, the tip. None where nothing was published.
    pub fn trailers(&self) -> &[Trailer] {
        &self.trailers
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
    /// A commit changes what its signer may not.
    #[error(
        "commit {} (\"{summary}\") changes `{path}`, which {principal} may not change; whoever may has to sign it",
        commit.short()
    )]
    OutsidePaths {
        /// The commit.
        commit: CommitId,
        /// The first line of its message, escaped.
        summary: String,
        /// Who signed it, or, in mode `head`, the tip.
        principal: String,
        /// The first such path, escaped.
        path: String,
    },
    /// What a commit changes cannot be told.
    #[error(
        "commit {} (\"{summary}\") has trees that are too large or not well formed, so what it changes cannot be told, and \
         {principal} may not change everything",
        commit.short()
    )]
    UntoldChanges {
        /// The commit.
        commit: CommitId,
        /// The first line of its message, escaped.
        summary: String,
        /// Who signed it, or, in mode `head`, the tip.
        principal: String,
    },
    /// A commit asks to seal the history before it, which is not signed, and may not.
    #[error("commit {} (\"{summary}\") does not seal the history before it", commit.short())]
    Seal {
        /// The commit.
        commit: CommitId,
        /// The first line of its message, escaped.
        summary: String,
        /// Why.
        #[source]
        refusal: SealRefusal,
    },
    /// First sights cannot be recorded.
    #[error("nothing was judged, because when it was first seen cannot be recorded")]
    FirstSeen(#[from] LedgerError),
}

impl ProofError {
    /// The published commit that the branch was moved away from, which two principals may confirm.
    pub fn force_push(&self) -> Option<&CommitId> {
        match self {
            ProofError::Walk(WalkError::ForcePush { base, .. }) => Some(base),
            _ => None,
        }
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
    let mut sealed = Sealed { policy, first_seen, now, refused: Vec::new() };
    let new = base.new_commits(&commits, tip, &mut sealed, policy.mode())?;
    let refused_seals = sealed.refused;
    first_seen.record(new.iter(), now)?;
    let judged = Judge { commits: &commits, policy, first_seen, now }.all(&new, tip);
    judged.map_err(|error| match (&error, refused_seals.into_iter().find(|seal| new.contains(&seal.commit))) {
        // What was meant to be sealed is not signed, and why it is not sealed tells more than that.
        (ProofError::Unproven { .. }, Some(seal)) => {
            ProofError::Seal { commit: seal.commit, summary: seal.summary, refusal: seal.refusal }
        }
        _ => error,
    })?;
    let release_seq = match base {
        Base::Published { release_seq: Some(published), .. } => published.saturating_add(new.len() as u64),
        _ => walk::count(&commits, tip)?,
    };
    let signed = match (base, policy.mode()) {
        // Where nothing was published there is nothing to speak about, and all of a history to read.
        (Base::Beginning | Base::Adopted(_), _) => &[],
        (_, Mode::Strict) => &new[..],
        (_, Mode::Head) if new.is_empty() => &[],
        (_, Mode::Head) => std::slice::from_ref(tip),
    };
    let mut trailers = Vec::new();
    for id in signed {
        trailers.extend(trailers::trailers(id, commits.read(id)?.message()));
    }
    Ok(VerifiedCommit { id: tip.clone(), tree: commits.read(tip)?.tree, release_seq, trailers })
}

impl Base {
    fn new_commits(
        &self,
        commits: &Commits<'_>,
        tip: &CommitId,
        sealed: &mut Sealed<'_>,
        mode: Mode,
    ) -> Result<Vec<CommitId>, WalkError> {
        let nothing_seals = &mut |_: &CommitId, _: &CommitObject| false;
        match self {
            Base::Published { commit, .. } | Base::Adopted(commit) => {
                walk::new_commits(commits, Known::Continued(commit), tip, nothing_seals)
            }
            Base::LeftBehind { published, adopted } => {
                let known: Vec<_> = [Some(published), adopted.as_ref()].into_iter().flatten().collect();
                let here: Vec<_> = known.into_iter().filter(|commit| commits.has(commit)).collect();
                walk::new_commits(commits, Known::LeftBehind(&here), tip, nothing_seals)
            }
            // The tip's signature answers for all of it there.
            Base::Beginning if mode == Mode::Head => walk::new_commits(commits, Known::Nothing, tip, nothing_seals),
            Base::Beginning => {
                walk::new_commits(commits, Known::Nothing, tip, &mut |id, commit| sealed.holds(id, commit))
            }
        }
    }
}

/// The rules in force.
struct Judge<'j, 'r> {
    commits: &'j Commits<'r>,
    policy: &'j SignerPolicy,
    first_seen: &'j FirstSeen,
    now: Timestamp,
}

impl Judge<'_, '_> {
    fn all(&self, new: &[CommitId], tip: &CommitId) -> Result<(), ProofError> {
        match self.policy.mode() {
            Mode::Strict => new.iter().try_for_each(|id| {
                let commit = self.commits.read(id)?;
                self.check_changes(id, &commit, &self.signer(id, &commit)?)
            }),
            Mode::Head if new.is_empty() => Ok(()),
            Mode::Head => {
                let signer = self.signer(tip, &self.commits.read(tip)?)?;
                new.iter().try_for_each(|id| self.check_changes(id, &self.commits.read(id)?, &signer))
            }
        }
    }

    fn signer(&self, id: &CommitId, commit: &CommitObject) -> Result<Signer, ProofError> {
        let first_seen = self.first_seen.of(id).unwrap_or(self.now);
        let signer = self.policy.judge(commit.signed(), first_seen).map_err(|refusal| ProofError::Unproven {
            commit: id.clone(),
            summary: commit.summary(),
            refusal,
        })?;
        tracing::debug!(principal = %signer.principal, key = signer.key_fingerprint, "Judged a commit good");
        Ok(signer)
    }

    fn check_changes(&self, id: &CommitId, commit: &CommitObject, signer: &Signer) -> Result<(), ProofError> {
        let named = || (id.clone(), commit.summary(), signer.principal.to_string());
        match changes::compare(self.commits, id, commit, &signer.paths)? {
            Changes::Allowed => Ok(()),
            Changes::Outside(path) => {
                let (commit, summary, principal) = named();
                Err(ProofError::OutsidePaths { commit, summary, principal, path })
            }
            Changes::Untold => {
                let (commit, summary, principal) = named();
                Err(ProofError::UntoldChanges { commit, summary, principal })
            }
        }
    }
}

#[cfg(test)]
mod tests;
