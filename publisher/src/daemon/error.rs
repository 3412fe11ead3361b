//! Why a look at the branch did not end with its tip published. Never the end of the daemon.

use schema::CommitId;

use super::base::BaseError;
use crate::causes::causes;
use crate::compile::CompileError;
use crate::guards::GuardError;
use crate::kind::ErrorKind;
use crate::ledger::LedgerError;
use crate::overrides::RefusedOverride;
use crate::proof::ProofError;
use crate::publish::Moved;
use crate::rebuild::RebuildError;
use crate::region::RegionError;
use crate::signers::PolicyError;
use crate::source::SourceError;
use crate::start::StartError;
use crate::trust::TrustError;

/// Says why the tip is not published, or not everywhere. What regions run stays.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// It could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The trust root in the store.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The branch.
    #[error("the branch cannot be looked at")]
    Source(#[from] SourceError),
    /// What was published last.
    #[error("where judging has to begin is not known")]
    Base(#[from] BaseError),
    /// The signer policy is missing or wrong. Then nobody may sign.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// What the publisher remembers: first sights, revoked keys, lifted force-pushes.
    #[error(transparent)]
    Record(#[from] LedgerError),
    /// A commit that nobody may publish.
    #[error("commit {} is not published", commit.short())]
    Proof {
        /// The tip.
        commit: CommitId,
        /// Why.
        #[source]
        source: Box<ProofError>,
        /// The overrides that there are and that do not lift this force-push.
        overrides: Vec<RefusedOverride>,
    },
    /// A commit that does not compile.
    #[error("commit {} is not published", commit.short())]
    Compile {
        /// The tip.
        commit: CommitId,
        /// Why.
        #[source]
        source: CompileError,
    },
    /// A commit that a guard holds back.
    #[error("commit {} is not published", commit.short())]
    Guarded {
        /// The tip.
        commit: CommitId,
        /// Why.
        #[source]
        source: Box<GuardError>,
    },
    /// What was offered for the commit is not what it compiles to, or cannot be looked at.
    #[error(transparent)]
    Rebuild(#[from] Box<RebuildError>),
    /// Regions that stay as they are.
    #[error("commit {} is not published everywhere ({} of {regions} regions fail)", commit.short(), 1 + others.len())]
    Regions {
        /// The tip.
        commit: CommitId,
        /// How many apps and regions the commit has.
        regions: usize,
        /// What moved all the same.
        moved: Vec<Moved>,
        /// The first region that fails, by name.
        #[source]
        first: Box<RegionError>,
        /// All others that do.
        others: Vec<RegionError>,
    },
}

impl LookError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            LookError::Start(error) => error.kind(),
            LookError::Trust(error) => error.kind(),
            LookError::Source(_) => ErrorKind::Unreachable,
            LookError::Base(BaseError::Store(error)) => error.into(),
            LookError::Base(BaseError::Region(error)) => error.kind(),
            LookError::Base(BaseError::Apart { .. } | BaseError::StoreEmptied { .. }) => ErrorKind::Refused,
            LookError::Base(BaseError::Repository(_)) | LookError::Record(_) => ErrorKind::Unexpected,
            LookError::Policy(_) => ErrorKind::Refused,
            LookError::Proof { source, .. } if matches!(**source, ProofError::FirstSeen(_)) => ErrorKind::Unexpected,
            LookError::Proof { source, .. } if source.is_damage() => ErrorKind::Unexpected,
            LookError::Compile { source: CompileError::Unreadable(_), .. } => ErrorKind::Unexpected,
            LookError::Proof { .. } | LookError::Compile { .. } => ErrorKind::Refused,
            LookError::Guarded { source, .. } => source.kind(),
            LookError::Rebuild(error) => error.kind(),
            LookError::Regions { first, .. } => first.kind(),
        }
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        match self {
            LookError::Trust(error) => error.hint(),
            LookError::Regions { first, .. } => first.hint(),
            LookError::Guarded { source, .. } => source.hint(),
            LookError::Rebuild(error) => error.hint(),
            LookError::Base(BaseError::Region(error)) => error.hint(),
            LookError::Base(BaseError::Apart { .. }) => Some(
                "fetch them if another publisher is ahead; if the branch was rewritten on purpose, merge them back into it \
                 (`git merge -s ours` keeps the new content)"
                    .to_owned(),
            ),
            LookError::Base(BaseError::StoreEmptied { .. }) => Some(
                "bring the store back, or copy it to where it is now: agents refuse one that begins at generation 1 again; to \
                 begin anew all the same, remove `published.json` from the state folder and start again"
                    .to_owned(),
            ),
            LookError::Policy(_) => {
                Some("until it names who may sign, nothing new is published".to_owned())
            }
            LookError::Proof { source, overrides, .. } if source.force_push().is_some() => {
                let ways = "push the published commit back, or merge it into the branch (`git merge -s ours` keeps the new \
                            content), or let two principals sign an override";
                let tried = overrides.iter().map(|refused| format!("; {}", causes(refused).join(": ")));
                Some(std::iter::once(ways.to_owned()).chain(tried).collect())
            }
            LookError::Proof { .. } => Some("the last published commit stays; put a signed commit in its place".to_owned()),
            LookError::Compile { source: CompileError::Refused(_), .. } => {
                Some("the last published commit stays; `driftless compile` lists all that is wrong with this one".to_owned())
            }
            _ => None,
        }
    }

    /// The commit that is not published, if one was reached.
    pub fn commit(&self) -> Option<&CommitId> {
        match self {
            LookError::Proof { commit, .. }
            | LookError::Compile { commit, .. }
            | LookError::Guarded { commit, .. }
            | LookError::Regions { commit, .. } => Some(commit),
            _ => None,
        }
    }

    /// What moved all the same.
    pub fn moved(&self) -> &[Moved] {
        match self {
            LookError::Regions { moved, .. } => moved,
            _ => &[],
        }
    }

    /// Whether objects are missing or damaged, so that a fresh mirror may help.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            LookError::Proof { source, .. } => source.is_damage(),
            LookError::Compile { source, .. } => matches!(source, CompileError::Unreadable(_)),
            LookError::Guarded { source, .. } => matches!(**source, GuardError::Unreadable { .. }),
            _ => false,
        }
    }

    /// The chain of causes, outermost first.
    pub(super) fn causes(&self) -> Vec<String> {
        crate::causes(self)
    }
}
