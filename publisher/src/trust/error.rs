//! Why a root is of no use, or nothing may be published under it.

use std::path::PathBuf;

use schema::StorePath;
use schema::seal::SealError;
use store::StoreError;

use crate::keys::UntrustedKeys;
use crate::kind::ErrorKind;

/// Says why a trust root file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum RootFileError {
    /// It cannot be read.
    #[error("trust root `{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It is no trust root, or not signed by its own keys.
    #[error("trust root `{}` is of no use", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: SealError,
    },
}

/// Says why nothing may be published under a trust root.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another root has the same version, or something else stands in its place.
    #[error("`{object}` in the store is not the trust root of that version which this publisher was given")]
    Conflict {
        /// Where it stands.
        object: StorePath,
    },
    /// Agents that reached the newest root would refuse what this publisher signs.
    #[error("nothing is published, for agents would refuse what this publisher signs")]
    Keys(#[from] UntrustedKeys),
}

impl TrustError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            TrustError::Store(error) => error.into(),
            TrustError::Conflict { .. } | TrustError::Keys(_) => ErrorKind::Refused,
        }
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        match self {
            TrustError::Store(_) => None,
            TrustError::Conflict { object } => Some(format!(
                "compare the two (`driftless keys show`): if this publisher has the wrong one, or the wrong store, put that right in \
                     publisher.yaml; if somebody replaced the one in the store, find out who writes to it and remove `{object}`, \
                     which is then put back from the file"
            )),
            TrustError::Keys(UntrustedKeys { role, version, .. }) => Some(format!(
                "give this publisher a {role} key that trust root version {version} lists (`keys.{role}` in publisher.yaml), or sign \
                 a root that lists this one; a newer root in the store is noticed without a restart"
            )),
        }
    }
}
