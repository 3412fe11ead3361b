//! What can be wrong with a store.

use std::error::Error;
use std::fmt;

use schema::cycle::NotVouched;
use schema::root::NotSuccessor;
use schema::seal::SealError;
use schema::succession::Refusal;
use schema::{App, Digest, Epoch, Order, Region, RolloutId, StorePath, Timestamp};

use crate::frame::NotTheArchive;

/// One thing that is not as it must be, and where.
#[derive(Debug)]
pub struct Finding {
    /// The object, or the folder where something is missing.
    pub object: String,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is wrong because of it.
    Note,
    /// Agents cope, and somebody should look.
    Weak,
    /// Something was changed, removed or forged, or agents refuse what is published.
    Broken,
}

impl Finding {
    pub(crate) fn new(object: impl fmt::Display, flaw: impl Into<Flaw>) -> Finding {
        Finding { object: object.to_string(), flaw: flaw.into() }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self.flaw {
            Flaw::Stray | Flaw::Stranger | Flaw::Unreferenced | Flaw::BeforeTheRoot => Severity::Note,
            // One record ahead of its pointer is what a publisher leaves that was stopped in between.
            Flaw::Behind { by: 1, .. }
            | Flaw::Expired { .. }
            | Flaw::OldEpoch { .. }
            | Flaw::OldKeys { .. }
            | Flaw::Unpublished => Severity::Weak,
            _ => Severity::Broken,
        }
    }

    /// The flaw and its causes, in one line.
    pub fn in_one_line(&self) -> String {
        let mut line = self.flaw.to_string();
        let mut cause = self.flaw.source();
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}

/// What is wrong with an object.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// It should be there.
    #[error("it is missing")]
    Missing,
    /// Too large, or of another size than it may have.
    #[error("it is larger than {max_bytes} bytes, which nothing of its kind is")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
    /// The root that was given is not the one in the store.
    #[error("it is another trust root than the one given: payload {found}, not {given}")]
    OtherRoot {
        /// In the store.
        found: Digest,
        /// As given.
        given: Digest,
    },
    /// It does not follow the root before it.
    #[error("it does not follow the trust root before it")]
    Chain(#[from] NotSuccessor),
    /// Its signatures do not hold.
    #[error("its seal does not hold")]
    Seal(#[from] SealError),
    /// A record under another's name.
    #[error("it holds the record of {found}")]
    OtherRecord {
        /// The order inside.
        found: Order,
    },
    /// A record of another app or region.
    #[error("mix-and-match: it holds a record of app `{app}` in region `{region}`")]
    OtherPlace {
        /// The app inside.
        app: App,
        /// The region inside.
        region: Region,
    },
    /// A state of another rollout, or another state of this one.
    #[error("it holds state {n} of rollout {id} of app `{app}`")]
    OtherState {
        /// The app inside.
        app: App,
        /// The rollout inside.
        id: RolloutId,
        /// The state inside.
        n: u64,
    },
    /// A record of an epoch that no root began.
    #[error("no trust root that follows from the one given has epoch {epoch}")]
    NoRootOfEpoch {
        /// Of the record.
        epoch: Epoch,
    },
    /// Signed by keys that had been replaced by then.
    #[error(
        "its keys were replaced: trust root version {newest} is the last to have them, and a record before it is of version {replaced}"
    )]
    Superseded {
        /// Version of the newest root that vouches for it.
        newest: u64,
        /// Version of the root that replaced its keys.
        replaced: u64,
    },
    /// Records are missing before it.
    #[error("records are missing between {before} and it")]
    Gap {
        /// The record before the gap.
        before: Order,
    },
    /// The history does not begin at its beginning.
    #[error("records are missing before it: a history begins with generation 1, serial 1")]
    NoBeginning,
    /// It does not name the record before it.
    #[error("it names {named} as the pointer before it, which is {found}")]
    Link {
        /// As signed, or nothing.
        named: Named,
        /// What is there.
        found: Digest,
    },
    /// It contradicts the record before it.
    #[error("it may not follow the record before it")]
    Succession(#[from] Refusal),
    /// The pointer is none of the history's.
    #[error("no record has it: payload {found}")]
    NoRecord {
        /// Of the pointer.
        found: Digest,
    },
    /// The pointer is an older record's.
    #[error("it is that of {found}, and the newest record is {newest}, {by} later")]
    Behind {
        /// What it says.
        found: Order,
        /// What it should say.
        newest: Order,
        /// How many records are newer.
        by: usize,
    },
    /// A freshness that ran out.
    #[error("it expired at {expires}")]
    Expired {
        /// When.
        expires: Timestamp,
    },
    /// The newest root began an epoch under which nothing was published.
    #[error("no pointer was published in epoch {root}, which the newest trust root began; agents hold until one is")]
    OldEpoch {
        /// The epoch of the newest root.
        root: Epoch,
    },
    /// The newest root replaced the keys of the newest pointer.
    #[error(
        "the keys of trust root version {newest} are the last that signed it, and the newest root has others; agents hold until it is signed afresh"
    )]
    OldKeys {
        /// Version of the newest root that vouches for it.
        newest: u64,
    },
    /// Bundles, or keys of a region, and no pointer.
    #[error("nothing is published there; what was may have been removed")]
    Unpublished,
    /// The manifest does not vouch for what pointers name.
    #[error("it does not vouch for the bundle that pointers name")]
    NotVouched(#[from] NotVouched),
    /// One signature of several, and not by the key that its name says.
    #[error("it is no signature of the release key that it is named after")]
    Piece(#[source] SealError),
    /// A bundle whose bytes are not those that were signed.
    #[error("its bytes are not those that its manifest names: sha256 {found}")]
    OtherBytes {
        /// What they are.
        found: Digest,
    },
    /// A bundle that is not what its name says.
    #[error("it does not unpack to the archive that it is named after")]
    OtherArchive(#[from] NotTheArchive),
    /// Signed under a root older than the one given, and held by digests alone.
    #[error("it was signed before the trust root that was given; only digests hold it")]
    BeforeTheRoot,
    /// A seal or a piece of one that no trusted root has the keys for.
    #[error("it is named after keys that no trusted root has; nobody looks at it")]
    Stranger,
    /// Nothing names it: what a publisher left that was stopped in between.
    #[error("nothing names it")]
    Unreferenced,
    /// Not an object of a store.
    #[error("it is no object of Driftless")]
    Stray,
}

/// What a record names as the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named(pub Option<Digest>);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(digest) => digest.fmt(f),
            None => f.write_str("nothing"),
        }
    }
}

impl Flaw {
    /// What the flaw is called in `--json`.
    pub fn name(&self) -> &'static str {
        match self {
            Flaw::Missing => "missing",
            Flaw::TooLarge { .. } => "too-large",
            Flaw::OtherRoot { .. } => "other-root",
            Flaw::Chain(_) => "chain",
            Flaw::Seal(_) => "seal",
            Flaw::OtherRecord { .. } => "other-record",
            Flaw::OtherPlace { .. } => "other-place",
            Flaw::OtherState { .. } => "other-state",
            Flaw::NoRootOfEpoch { .. } => "no-root-of-epoch",
            Flaw::Superseded { .. } => "superseded",
            Flaw::Gap { .. } => "gap",
            Flaw::NoBeginning => "no-beginning",
            Flaw::Link { .. } => "link",
            Flaw::Succession(_) => "succession",
            Flaw::NoRecord { .. } => "no-record",
            Flaw::Behind { .. } => "behind",
            Flaw::Expired { .. } => "expired",
            Flaw::OldEpoch { .. } => "old-epoch",
            Flaw::OldKeys { .. } => "old-keys",
            Flaw::Unpublished => "unpublished",
            Flaw::NotVouched(_) => "not-vouched",
            Flaw::Piece(_) => "piece",
            Flaw::OtherBytes { .. } => "other-bytes",
            Flaw::OtherArchive(_) => "other-archive",
            Flaw::BeforeTheRoot => "before-the-root",
            Flaw::Stranger => "stranger",
            Flaw::Unreferenced => "unreferenced",
            Flaw::Stray => "stray",
        }
    }
}

pub(crate) fn missing(path: &StorePath) -> Finding {
    Finding::new(path, Flaw::Missing)
}
