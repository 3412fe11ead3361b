//! Puts another trust root in force by hand, when the chain cannot go on: so many root keys are lost that nobody can sign the
//! next one.
//!
//! In: the configuration of an agent that does not run, a root, and the fingerprint that a person was told by other ways than
//! the file itself. Out: the root, pinned and kept. From then on nothing that the old chain signs counts any more.

use std::path::Path;

use schema::{App, Digest, Epoch, TrustRoot, Verified};

use super::{TrustError, kept_in, read};
use crate::config::Config;
use crate::disk;
use crate::journal::Journal;
use crate::state::{AppFolder, LockError, StateFolder};
use crate::tree::{DiskError, failed_at};

/// The root that is in force now.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// Its version.
    pub version: u64,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its fingerprint, whole.
    pub fingerprint: Digest,
}

/// Replaces the pinned and the kept trust root of the agent of `config` by the one in `file`, if its fingerprint (the sha256 of
/// its first line) begins with `typed`, of which at least 16 digits are needed. Blocks.
///
/// # Errors
/// [`NotReplaced`]; except for [`NotReplaced::Disk`] nothing was changed, and after that, doing it again finishes it.
pub fn replace_root(config: &Config, file: &Path, typed: Option<&str>) -> Result<Replaced, NotReplaced> {
    let root = read(file)?.ok_or_else(|| TrustError::Missing { path: file.to_owned() })?;
    let fingerprint = root.payload_digest();
    let typed = typed.ok_or(NotReplaced::NoFingerprint { fingerprint })?;
    // People copy it with blanks in it, and in either case.
    let digits: String = typed.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect();
    if digits.len() < DIGITS_MIN {
        return Err(NotReplaced::TooShort { digits: digits.len() });
    }
    if !fingerprint.to_string().starts_with(&digits) {
        return Err(NotReplaced::Other { fingerprint });
    }
    let state = StateFolder::lock(&config.state)?;
    is_acceptable(&root, state.path())?;
    // The pinned one first: where the other cannot follow, it wins if it is newer, and what was in force stays so if it is not.
    for path in [&config.root, &kept_in(state.path())] {
        disk::replace(path, root.bytes()).map_err(failed_at(path, "replaced"))?;
    }
    Ok(Replaced { version: root.version, epoch: root.epoch, fingerprint })
}

/// No app takes a pointer of an older epoch than it has seen, whoever signs it.
fn is_acceptable(root: &Verified<TrustRoot>, state: &Path) -> Result<(), NotReplaced> {
    for (app, folder) in AppFolder::all(state).map_err(failed_at(state, "read"))? {
        // An app whose journal is damaged holds whatever the root is.
        let seen = Journal::read(&folder.journal()).ok().flatten().and_then(|journal| journal.seen);
        if let Some(seen) = seen.filter(|seen| seen.order.epoch > root.epoch) {
            return Err(NotReplaced::Epoch { app, seen: seen.order.epoch, offered: root.epoch });
        }
    }
    Ok(())
}

/// Says why a trust root was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum NotReplaced {
    /// The file holds no trust root.
    #[error(transparent)]
    Root(#[from] TrustError),
    /// Nobody vouched for the file.
    #[error(
        "the fingerprint of the file is {fingerprint}; compare it with what you were told by other ways than the file, and give it \
         as --fingerprint"
    )]
    NoFingerprint {
        /// Of the file.
        fingerprint: Digest,
    },
    /// So few digits could be met by chance, or by design.
    #[error("{digits} digits of a fingerprint are too few; type at least {DIGITS_MIN}")]
    TooShort {
        /// As typed.
        digits: usize,
    },
    /// The file is not the one that was meant.
    #[error("the fingerprint of the file is {fingerprint}, which is not the one that was typed")]
    Other {
        /// Of the file.
        fingerprint: Digest,
    },
    /// Every pointer under it would be refused.
    #[error(
        "app `{app}` has seen epoch {seen} and takes no pointer of epoch {offered}; have the root signed with epoch {seen} or more"
    )]
    Epoch {
        /// Whose journal it is.
        app: App,
        /// In the journal.
        seen: Epoch,
        /// In the root.
        offered: Epoch,
    },
    /// An agent runs, or the state folder cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The host's own disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

const DIGITS_MIN: usize = 16;
