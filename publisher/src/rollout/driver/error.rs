//! Why a rollout does not go on. It is tried again; what regions run stays.

use store::StoreError;

use crate::kind::ErrorKind;
use crate::publish::BundleError;
use crate::region::RegionError;
use crate::rollout::RecordError;

/// Says why a rollout does not go on for now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriveError {
    /// The apps that there are cannot be listed.
    #[error(transparent)]
    Store(StoreError),
    /// Its state.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A region of it.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// What it brings.
    #[error(transparent)]
    Bundle(#[from] Box<BundleError>),
}

impl DriveError {
    /// What the caller decides by.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            DriveError::Store(error) => error.into(),
            DriveError::Record(error) => error.kind(),
            DriveError::Region(error) => error.kind(),
            DriveError::Bundle(error) => error.kind(),
        }
    }

    /// What to do about it, where somebody can do something.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            DriveError::Store(_) => None,
            DriveError::Record(error) => error.hint(),
            DriveError::Region(error) => error.hint(),
            DriveError::Bundle(error) => error.hint(),
        }
    }
}
