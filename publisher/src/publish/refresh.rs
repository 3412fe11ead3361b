//! Keeps pointers young, and right, where no commit is at hand or none may be published.

use schema::{App, Order, Region};

use super::bundle_error::{BundleError, BundleFault};
use super::draft::{Draft, Signing};
use super::point::announce;
use super::report::{Moved, Report, Waiting};
use super::reseal::vouch;
use super::work::{Done, What};
use super::{TRIES, a_few_at_a_time};
use crate::plan::{self, Plan};
use crate::publisher::Publisher;
use crate::region::{self, RegionError, RegionFault, RegionState};

/// Repairs the pointers of `places` and signs those afresh that have grown old. What they name stays as it is. Regions whose
/// pointers others sign are left alone.
pub async fn refresh(publisher: &Publisher, places: impl IntoIterator<Item = (App, Region)>) -> Report {
    let ours = places.into_iter().filter(|(_, region)| publisher.duty.moves_pointers() && publisher.signs_for(region));
    let each = ours.map(|(app, region)| refresh_one(publisher, app, region));
    a_few_at_a_time(each.collect()).await.into_iter().collect()
}

async fn refresh_one(publisher: &Publisher, app: App, region: Region) -> Result<Done, RegionError> {
    for _ in 0..TRIES {
        let state = region::settle(publisher, &app, &region).await?;
        let Some(newest) = &state.newest else { return Ok(Done::nothing(app, region, None)) };
        let standing = newest.order();
        if let Some(refused) = revoked(publisher, &state) {
            return Err(refused);
        }
        let (root, freshness) = (publisher.root(), &publisher.freshness);
        let plan = plan::plan(state.to_plan(), &newest.stable.digest, root.epoch, publisher.now(), freshness);
        let Plan::Refresh { order } = plan.map_err(|error| state.error(error))? else {
            return Ok(Done::nothing(app, region, Some(standing)));
        };
        match refreshed(publisher, state, order).await? {
            Refreshed::Moved(moved) => {
                return Ok(Done::of(What::Refreshed(moved.clone()), app, region, Some(moved.order)));
            }
            Refreshed::Waiting(waiting) => return Ok(Done::of(What::Waiting(waiting), app, region, Some(standing))),
            Refreshed::LostRace => {}
        }
    }
    Err(RegionError { app, region, fault: RegionFault::LostRace { tries: TRIES } })
}

/// What came of signing a pointer afresh.
pub(super) enum Refreshed {
    Moved(Moved),
    /// Its agents would refuse the bundle until more release keys have signed its manifest again.
    Waiting(Waiting),
    LostRace,
}

/// Signs the newest pointer of a region afresh under `order`, if agents will believe what it names.
pub(super) async fn refreshed(
    publisher: &Publisher,
    state: RegionState,
    order: Order,
) -> Result<Refreshed, RegionError> {
    let waiting = vouch(publisher, state.standing()).await.map_err(|error| state.error(Box::new(error)))?;
    if let Some(waiting) = waiting {
        return Ok(Refreshed::Waiting(waiting));
    }
    let draft = Draft::refreshed(state.standing(), Signing::under(order, publisher));
    Ok(announce(publisher, state, draft).await?.map_or(Refreshed::LostRace, Refreshed::Moved))
}

/// Why the pointer of a region is not looked after, if it names a bundle that the trust root has revoked: agents stay on what they
/// run and say so, and somebody has to give them something else.
pub(super) fn revoked(publisher: &Publisher, state: &RegionState) -> Option<RegionError> {
    let digest = state.newest.as_ref()?.stable.digest;
    publisher.root().revoked.contains(&digest).then(|| {
        let error = BundleError { app: state.app.clone(), digest, fault: BundleFault::Revoked };
        state.error(Box::new(error))
    })
}
