//! What can be wrong with one app's region in the store, or with moving it.

use schema::seal::SealError;
use schema::{App, CommitId, Epoch, Order, Region, StorePath};
use store::StoreError;

use crate::kind::ErrorKind;
use crate::plan::OrdersUsedUp;
use crate::publish::{AncestryError, BundleError};
use crate::rollout::records::RecordError;

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
    /// Nothing at all stands where a pointer was published before.
    #[error("the store has neither pointer nor history of it, though {order} was published")]
    Vanished {
        /// The newest order that this publisher remembers.
        order: Order,
    },
    /// The store has less of it than was published before.
    #[error("its newest pointer in the store is {found}, though {remembered} was published")]
    Rewound {
        /// The newest order in the store.
        found: Order,
        /// The newest order that this publisher remembers.
        remembered: Order,
    },
    /// Its generation went further than agents follow.
    #[error("its newest pointer is {found}, further from {remembered} than agents follow")]
    Jumped {
        /// The newest order in the store.
        found: Order,
        /// The newest order that this publisher remembers.
        remembered: Order,
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
    /// There is nothing to hold back.
    #[error("nothing was ever published there")]
    NothingThere,
    /// How far a rollout is that reaches the region could not be found out, or not be recorded.
    #[error(transparent)]
    Rollout(#[from] Box<RecordError>),
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
    /// Signed by keys that the trust root in force has no more, after those that it has had signed.
    #[error("it is signed by keys that trust root version {version} had, and that are out of force")]
    Superseded {
        /// The root that vouches for it.
        version: u64,
    },
    /// A root vouches for its keys, but not in the epoch that it claims.
    #[error("it is of epoch {signed}, signed by keys of epoch {root}")]
    OtherEpoch {
        /// As signed.
        signed: Epoch,
        /// The epoch of the root that has the keys.
        root: Epoch,
    },
    /// Older than all that is known of who could sign.
    #[error("it is of an epoch before trust root version {oldest}, the oldest that this publisher was given")]
    BeforeTheRoots {
        /// Version of that root.
        oldest: u64,
    },
    /// In the epoch of a root that this publisher was not given, and signed by keys of none that it was.
    #[error(
        "it is signed by no key that a trust root since version {oldest} has, the oldest that this publisher was given, \
         though keys before that may have signed it"
    )]
    SignersUnknown {
        /// Version of that root.
        oldest: u64,
    },
    /// More than a pointer may be.
    #[error("it has {size} bytes, the limit is {max_bytes}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit.
        max_bytes: u64,
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
            RegionFault::Rollout(error) => error.kind(),
            RegionFault::LostRace { .. } | RegionFault::Contested { .. } | RegionFault::Behind { .. } => {
                ErrorKind::LostRace
            }
            RegionFault::Ancestry(_) => ErrorKind::Unexpected,
            RegionFault::Damaged { .. }
            | RegionFault::NewerEpoch { .. }
            | RegionFault::Vanished { .. }
            | RegionFault::Rewound { .. }
            | RegionFault::Jumped { .. }
            | RegionFault::Apart { .. }
            | RegionFault::NothingThere
            | RegionFault::Unsigned(_)
            | RegionFault::OrdersUsedUp(_) => ErrorKind::Refused,
        }
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        match self {
            RegionFault::Store(_) | RegionFault::Ancestry(_) | RegionFault::LostRace { .. } | RegionFault::NothingThere => None,
            RegionFault::Bundle(error) => error.hint(),
            RegionFault::Rollout(error) => error.hint(),
            RegionFault::Damaged {
                object,
                source: NotThePointer::SignersUnknown { oldest } | NotThePointer::BeforeTheRoots { oldest },
            } => Some(older_root(object, *oldest)),
            RegionFault::Damaged { object, .. } => Some(format!(
                "somebody damaged or planted it, or the trust root no longer has the key that signed it; \
                 find out who writes to the store, then remove `{object}` from it"
            )),
            RegionFault::NewerEpoch { object, found, .. } => Some(format!(
                "if there is a trust root of epoch {found}, put it into the store; if not, find out who writes to the store, then \
                 remove `{object}` and all that stands after it"
            )),
            RegionFault::Vanished { .. } => Some(
                "bring the region's folder back: agents refuse a region that begins at generation 1 again; to begin anew all the \
                 same, remove `published.json` from the state folder and start again"
                    .to_owned(),
            ),
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
            RegionFault::Rewound { .. } => Some(
                "bring the region's newer history records back: agents refuse another pointer of the same order; where they are \
                 lost for good, sign a trust root with the next epoch (`driftless keys rotate --epoch-bump`)"
                    .to_owned(),
            ),
            RegionFault::Jumped { .. } | RegionFault::OrdersUsedUp(_) => Some(
                "somebody else has the pointer key: sign a trust root with another one and the next epoch \
                 (`driftless keys revoke`)"
                    .to_owned(),
            ),
            RegionFault::Contested { .. } => Some("find out who else writes to the store".to_owned()),
        }
    }
}

/// What to do about what only an older root could tell to be genuine.
pub(crate) fn older_root(object: &StorePath, oldest: u64) -> String {
    format!(
        "let `root` in publisher.yaml name a trust root older than version {oldest}, from which this publisher walks to the newest \
         by itself; if that does not help, somebody damaged or planted it: find out who writes to the store, then remove `{object}`"
    )
}
