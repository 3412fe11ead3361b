//! Fourth step: the history record is created. This is where two publishers are told apart.

use schema::{Pointer, StorePath, Verified};
use store::{Created, Object};

use super::draft::Draft;
use crate::publisher::Publisher;
use crate::region::{RegionError, RegionFault, RegionState, open_pointer};

/// A pointer whose history record this publisher created: the order is ours, for ever.
pub(super) struct Recorded {
    pub(super) record: Verified<Pointer>,
    pub(super) seen: Option<Object>,
}

/// What came of recording a pointer.
pub(super) enum Recording {
    /// It is ours to publish.
    Ours(Box<Recorded>),
    /// Another publisher has the order: everything planned for the region is to be planned again from the store.
    Lost,
}

impl Recording {
    /// Signs `draft` and creates its record. `state` is what the draft was made from.
    ///
    /// # Errors
    /// [`RegionError`]; where the store did not answer, the record may be there, and the next start then finishes it.
    pub(super) async fn create(
        publisher: &Publisher,
        state: RegionState,
        draft: Draft,
    ) -> Result<Recording, RegionError> {
        let root = publisher.root();
        let keys = publisher.keys.for_pointer(root, &state.region).unwrap_or_default();
        let record = Verified::seal(draft.into_pointer(), &keys);
        // Signing with a key that the region does not know must fail here, not at ten thousand agents.
        let opened = open_pointer(root, &state.app, &state.region, record.bytes().clone());
        opened.map_err(|refused| state.error(RegionFault::Unsigned(refused)))?;
        let path = StorePath::History { app: state.app.clone(), region: state.region.clone(), order: record.order() };
        let created =
            publisher.store.create(&path, record.bytes().clone()).await.map_err(|error| state.error(error))?;
        fail::fail_point!("publish-history-recorded");
        Ok(match created {
            Created::New | Created::Same => Recording::Ours(Box::new(Recorded { record, seen: state.into_served() })),
            Created::Taken(_) => Recording::Lost,
        })
    }
}
