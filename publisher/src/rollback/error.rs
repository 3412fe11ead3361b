//! Why a region is not rolled back.

use schema::{App, Region};

use super::target::{KnownGeneration, RollbackTarget, list};
use crate::kind::ErrorKind;
use crate::publish::{BundleError, Moved, Waiting};
use crate::region::{RegionError, RegionFault};

/// Says why a rollback stopped, and how far it came.
#[derive(Debug, thiserror::Error)]
#[error("app `{app}` was not rolled back in region `{region}`")]
pub struct RollbackError {
    /// The app.
    pub app: App,
    /// The region that was in the way.
    pub region: Region,
    /// The pointers that had moved before.
    pub moved: Vec<Moved>,
    /// Why.
    #[source]
    pub fault: RollbackFault,
}

/// Why a region is not rolled back.
#[derive(Debug, thiserror::Error)]
pub enum RollbackFault {
    /// There is nothing to go back from.
    #[error("nothing was ever published there")]
    NothingPublished,
    /// The history has no such thing.
    #[error("its history has no {wanted}; there is {}", list(known))]
    Unknown {
        /// What was asked for.
        wanted: RollbackTarget,
        /// What there is, newest first.
        known: Vec<KnownGeneration>,
    },
    /// It is what runs already.
    #[error("{wanted} names bundle {}, which runs already as generation {}", current.digest.short(), current.generation)]
    Running {
        /// What was asked for.
        wanted: RollbackTarget,
        /// What runs.
        current: KnownGeneration,
    },
    /// The region could not be read or moved.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// Its history could not be read.
    #[error("its history cannot be read")]
    History(#[from] RegionFault),
    /// The release keys were rotated, and more than one must sign again what it goes back to.
    #[error("{0}")]
    Waiting(Waiting),
    /// The bundle is not usable any more.
    #[error(transparent)]
    Bundle(#[from] Box<BundleError>),
}

impl RollbackError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match &self.fault {
            RollbackFault::Region(error) => error.kind(),
            RollbackFault::Bundle(error) => error.kind(),
            RollbackFault::History(fault) => fault.kind(),
            RollbackFault::NothingPublished
            | RollbackFault::Unknown { .. }
            | RollbackFault::Running { .. }
            | RollbackFault::Waiting(_) => ErrorKind::Refused,
        }
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        match &self.fault {
            RollbackFault::Region(error) => error.hint(),
            RollbackFault::Bundle(error) => error.hint(),
            RollbackFault::Unknown { .. } => {
                Some(format!("`driftless history --app {} --region {}` shows all of it", self.app, self.region))
            }
            RollbackFault::History(fault) => fault.hint(),
            RollbackFault::Waiting(_) => {
                Some("start the publishers that have the other release keys, and try again".to_owned())
            }
            RollbackFault::NothingPublished | RollbackFault::Running { .. } => None,
        }
    }
}
