//! What can be wrong with one app's region in the store, or with moving it.

use schema::seal::SealError;
use schema::{App, CommitId, Epoch, Order, Region, StorePath};
use store::StoreError;

use crate::kind::ErrorKind;
use crate::plan::OrdersUsedUp;
use crate::publish::{AncestryError, BundleError};

/// Says why a region was not read, repaired or moved. What it runs stays as it is.
#[derive(Debug, thiserror::Error)]
#[error("app `{app}` in region `{region}` stays as it is")]
pub struct RegionError {
    /// The app.
    pub app: App,
    /// The region.
    pub region: Region,
    /// Why.
    #[source]
    pub fault: RegionFault,
}

/// Why a region stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum RegionFault {
    /// The store failed. That never counts as "nothing there".
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something else stands where a signed pointer belongs.
    #[error("`{object}` is not a pointer of this region")]
    Damaged {
        /// Where it stands.
        object: Box<StorePath>,
        /// What is wrong with it.
        #[source]
        source: NotThePointer,
    },
    /// The store has gone on to a newer trust root.
    #[error("`{object}` is of epoch {found}, the trust root of epoch {expected}")]
    NewerEpoch {
        /// Where it stands.
        object: Box<StorePath>,
        /// As found.
        found: Epoch,
        /// As the root says.
        expected: Epoch,
    },
    /// The region already has a later commit.
    #[error("commit {} is older than commit {}, which the region has", offered.short(), standing.short())]
    Behind {
        /// The commit to publish.
        offered: CommitId,
        /// The commit that the region's newest pointer names.
        standing: CommitId,
    },
    /// The region has a commit that the branch does not contain.
    #[error("commit {}, which the region has, is not in the history of commit {}", standing.short(), offered.short())]
    Apart {
        /// The commit to publish.
        offered: CommitId,
        /// The commit that the region's newest pointer names.
        standing: CommitId,
    },
    /// The repository could not tell how two commits are related.
    #[error(transparent)]
    Ancestry(#[from] AncestryError),
    /// The bundle that the region was to run is not usable.
    #[error(transparent)]
    Bundle(#[from] Box<BundleError>),
    /// Agents of the region would refuse what this publisher signs.
    #[error("its agents would refuse what this publisher signs")]
    Unsigned(#[source] NotThePointer),
    /// The counters are at their end.
    #[error(transparent)]
    OrdersUsedUp(#[from] OrdersUsedUp),
    /// Other publishers were faster, time after time.
    #[error("other publishers were first in each of {tries} tries")]
    LostRace {
        /// How often it was tried.
        tries: u32,
    },
    /// The pointer was overwritten as often as it was repaired.
    #[error("the pointer was overwritten by others in each of {tries} tries")]
    Contested {
        /// How often it was tried.
        tries: u32,
    },
}

/// Says why bytes are not the pointer that was looked for.
#[derive(Debug, thiserror::Error)]
pub enum NotThePointer {
    /// Not signed by the region's keys, or no pointer.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Signed for another app or region.
    #[error("it is for app `{app}` in region `{region}`")]
    Elsewhere {
        /// As signed.
        app: App,
        /// As signed.
        region: Region,
    },
    /// A record that stands under another order than its own.
    #[error("it is {0}, not what its name says")]
    OtherOrder(Order),
}

impl RegionError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        self.fault.kind()
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        self.fault.hint()
    }
}

impl RegionFault {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            RegionFault::Store(error) => error.into(),
            RegionFault::Bundle(error) => error.kind(),
            RegionFault::LostRace { .. } | RegionFault::Contested { .. } | RegionFault::Behind { .. } => {
                ErrorKind::LostRace
            }
            RegionFault::Ancestry(_) => ErrorKind::Unexpected,
            RegionFault::Damaged { .. }
            | RegionFault::NewerEpoch { .. }
            | RegionFault::Apart { .. }
            | RegionFault::Unsigned(_)
            | RegionFault::OrdersUsedUp(_) => ErrorKind::Refused,
        }
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        match self {
            RegionFault::Store(_) | RegionFault::Ancestry(_) | RegionFault::LostRace { .. } => None,
            RegionFault::Bundle(error) => error.hint(),
            RegionFault::Damaged { object, .. } => Some(format!(
                "somebody damaged or planted it, or the trust root no longer has the key that signed it; \
                 find out who writes to the store, then remove `{object}` from it"
            )),
            RegionFault::NewerEpoch { .. } => {
                Some("give this publisher the newest trust root and the keys that go with it".to_owned())
            }
            RegionFault::Behind { .. } => {
                Some("another publisher is ahead; this one follows once its repository has the commit".to_owned())
            }
            RegionFault::Apart { standing, .. } => Some(format!(
                "fetch it if another publisher is ahead; if the branch was rewritten on purpose, merge {standing} back \
                 into it (`git merge -s ours` keeps the new content)"
            )),
            RegionFault::Unsigned(_) => {
                Some("give this publisher the pointer key that the trust root lists for the region".to_owned())
            }
            RegionFault::OrdersUsedUp(_) => Some("sign a trust root with the next epoch".to_owned()),
            RegionFault::Contested { .. } => Some("find out who else writes to the store".to_owned()),
        }
    }
}
