//! Proves what a host runs: archives what `current` names again, and compares the digest with the name.
//!
//! In: a state folder. Out: one [`AppProof`] for each app in it. Takes no lock and changes nothing.

use std::path::Path;

use schema::{App, Digest};
use serde::{Serialize, Serializer};

use crate::apply::in_one_line;
use crate::state::AppFolder;
use crate::status::StatusError;
use crate::tree::{DiskError, RearchiveError, failed_at, rearchive};

/// What the tree behind one app's `current` turned out to be. As JSON, the data of `driftless-agent verify --json`.
#[derive(Debug, Serialize)]
pub struct AppProof {
    /// The app.
    pub app: App,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// What a tree turned out to be.
#[derive(Debug, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// Nothing runs yet.
    Nothing,
    /// Every byte is the bundle's.
    Proven {
        /// The bundle's digest, and the tree's.
        digest: Digest,
    },
    /// Something was changed, added or taken away since it was unpacked.
    Changed {
        /// What `current` says it is.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// It cannot be any bundle's, or cannot be read.
    Unprovable {
        /// Why not.
        #[serde(serialize_with = "as_text")]
        problem: Unprovable,
    },
}

/// Says why a tree cannot be proven.
#[derive(Debug, thiserror::Error)]
pub enum Unprovable {
    /// `current` cannot be read.
    #[error(transparent)]
    Current(#[from] DiskError),
    /// The tree cannot be archived.
    #[error(transparent)]
    Tree(#[from] RearchiveError),
}

impl Finding {
    /// Whether nothing speaks against what runs.
    pub fn is_sound(&self) -> bool {
        matches!(self, Finding::Nothing | Finding::Proven { .. })
    }
}

/// Reads every byte of what runs under `state`, app by app, sorted by name.
///
/// # Errors
/// [`StatusError`] where the state folder itself cannot be read.
pub fn verify(state: &Path) -> Result<Vec<AppProof>, StatusError> {
    let unreadable = |source| StatusError { path: state.to_owned(), source };
    state.metadata().map_err(unreadable)?;
    let apps = AppFolder::all(state).map_err(unreadable)?;
    let proofs = apps.into_iter().map(|(app, folder)| {
        let finding = prove(&folder).unwrap_or_else(|problem| Finding::Unprovable { problem });
        AppProof { app, finding }
    });
    Ok(proofs.collect())
}

fn prove(folder: &AppFolder) -> Result<Finding, Unprovable> {
    let Some(named) = folder.active().map_err(failed_at(&folder.current(), "read"))? else {
        return Ok(Finding::Nothing);
    };
    let found = rearchive(&folder.version(&named))?.digest;
    Ok(if found == named { Finding::Proven { digest: named } } else { Finding::Changed { expected: named, found } })
}

fn as_text<S: Serializer>(problem: &Unprovable, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&in_one_line(problem))
}
