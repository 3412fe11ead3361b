//! What an app's rollouts say of its regions.
//!
//! In: the records in a store. Out: for each region the newest rollout that reached it, under way or over. Where one publisher
//! has the keys of some regions and another those of others, each region's rollouts are its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schema::{App, Region, Rollout, RolloutId, Verified};

use super::records::{self, RecordError};
use crate::publisher::Publisher;

/// How many rollouts are looked at, newest first, for regions that none of them reached. What failed longer ago than that is
/// rolled out again, wave by wave.
const LOOKED_AT_MAX: usize = 16;

/// An app's rollouts, as far as its regions go by them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stands {
    newest: BTreeMap<Region, Arc<Verified<Rollout>>>,
    highest: Option<RolloutId>,
}

impl Stands {
    /// Reads what there is to know of `regions`.
    ///
    /// # Errors
    /// [`RecordError`] where a rollout's state is not known.
    pub(crate) async fn read(
        publisher: &Publisher,
        app: &App,
        regions: impl IntoIterator<Item = &Region>,
    ) -> Result<Stands, RecordError> {
        let ids = records::ids(publisher, app).await?;
        let mut stands = Stands { newest: BTreeMap::new(), highest: ids.last().copied() };
        let mut open: BTreeSet<&Region> = regions.into_iter().collect();
        for id in ids.into_iter().rev().take(LOOKED_AT_MAX) {
            if open.is_empty() {
                break;
            }
            let Some(rollout) = records::newest(publisher, app, id).await?.map(Arc::new) else { continue };
            for region in rollout.regions.keys() {
                if open.remove(region) {
                    stands.newest.insert(region.clone(), Arc::clone(&rollout));
                }
            }
        }
        Ok(stands)
    }

    /// The newest rollout that reached `region`.
    pub(crate) fn of(&self, region: &Region) -> Option<&Verified<Rollout>> {
        self.newest.get(region).map(|rollout| &**rollout)
    }

    /// All of them, each once, newest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = Arc<Verified<Rollout>>> + use<> {
        let each = self.newest.values().map(|rollout| (rollout.id, Arc::clone(rollout)));
        each.collect::<BTreeMap<_, _>>().into_values().rev()
    }

    /// The number of the next one.
    pub(crate) fn next_id(&self) -> RolloutId {
        self.highest.map_or(RolloutId::FIRST, RolloutId::next)
    }
}
