//! What can be wrong with the states of rollouts in a store.

use schema::seal::SealError;
use schema::{App, Epoch, Region, StorePath};
use store::StoreError;

use crate::kind::ErrorKind;

/// Says why it is not known how far an app's rollout is, or why it does not get further. What regions run stays.
#[derive(Debug, thiserror::Error)]
#[error("the rollouts of app `{app}` stay as they are")]
pub struct RecordError {
    /// The app.
    pub app: App,
    /// Why.
    #[source]
    pub fault: RecordFault,
}

/// Why a rollout's state is not known, or not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordFault {
    /// The store failed. That never counts as "no rollout".
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something else stands where a signed state belongs.
    #[error("`{object}` is not a state of this rollout")]
    Damaged {
        /// Where it stands.
        object: Box<StorePath>,
        /// What is wrong with it.
        #[source]
        source: NotTheState,
    },
    /// Others would refuse what this publisher signs.
    #[error("`{object}` would not be believed as this publisher signs it")]
    Unsigned {
        /// Where it would stand.
        object: Box<StorePath>,
        /// What is wrong with it.
        #[source]
        source: NotTheState,
    },
    /// More than a state may be.
    #[error("`{object}` would be larger than a state may be")]
    TooLarge {
        /// Where it would stand.
        object: Box<StorePath>,
    },
    /// A state that was listed, and is not there.
    #[error("a state that was listed a moment ago is gone")]
    Contested,
}

/// Says why bytes are not the state that was looked for.
#[derive(Debug, thiserror::Error)]
pub enum NotTheState {
    /// Signed by no pointer keys, or no state of a rollout.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Not signed by the keys of a region that it reaches.
    #[error("the pointer keys of region `{region}`, which it reaches, did not sign it")]
    OneRegion {
        /// The region.
        region: Region,
        /// What its keys miss.
        #[source]
        source: SealError,
    },
    /// Signed by keys that the trust root in force has no more, after those that it has had signed.
    #[error("it is signed by keys that trust root version {version} had, and that are out of force")]
    Superseded {
        /// The root that vouches for it.
        version: u64,
    },
    /// Signed by keys of an epoch that is over: whoever ended it may have done so because those keys were stolen.
    #[error("it is of epoch {epoch}, which is over")]
    EarlierEpoch {
        /// The epoch.
        epoch: Epoch,
    },
    /// Signed as another state.
    #[error("it is a state of another rollout, or another of its states")]
    Other,
}

impl RecordError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match &self.fault {
            RecordFault::Store(error) => error.into(),
            RecordFault::Contested => ErrorKind::LostRace,
            RecordFault::Damaged { .. } | RecordFault::Unsigned { .. } | RecordFault::TooLarge { .. } => {
                ErrorKind::Refused
            }
        }
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        match &self.fault {
            RecordFault::Damaged { object, .. } => Some(format!(
                "somebody damaged or planted it; find out who writes to the store, then remove `{object}` and all that stands after it"
            )),
            RecordFault::Unsigned { .. } => Some(
                "give this publisher the pointer keys that the trust root lists for all regions of the rollout"
                    .to_owned(),
            ),
            RecordFault::Store(_) | RecordFault::TooLarge { .. } | RecordFault::Contested => None,
        }
    }
}
