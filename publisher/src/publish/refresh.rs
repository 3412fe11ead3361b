//! Keeps pointers young, and right, where no commit is at hand or none may be published.

use schema::{App, Region};

use super::draft::{Draft, Signing};
use super::point::announce;
use super::report::Report;
use super::work::Done;
use super::{TRIES, a_few_at_a_time};
use crate::plan::{self, Plan};
use crate::publisher::Publisher;
use crate::region::{self, RegionError, RegionFault};

/// Repairs the pointers of `places` and signs those afresh that have grown old. What they name stays as it is.
pub async fn refresh(publisher: &Publisher, places: impl IntoIterator<Item = (App, Region)>) -> Report {
    let each = places.into_iter().map(|(app, region)| refresh_one(publisher, app, region));
    a_few_at_a_time(each.collect()).await.into_iter().collect()
}

async fn refresh_one(publisher: &Publisher, app: App, region: Region) -> Result<Done, RegionError> {
    for _ in 0..TRIES {
        let state = region::settle(publisher, &app, &region).await?;
        let Some(newest) = &state.newest else { return Ok(Done::Nothing) };
        let Publisher { root, freshness, .. } = publisher;
        let plan = plan::plan(Some(newest), &newest.stable.digest, root.epoch, publisher.now(), freshness);
        let Plan::Refresh { order } = plan.map_err(|error| state.error(error))? else { return Ok(Done::Nothing) };
        let draft = Draft::refreshed(newest, Signing::under(order, publisher));
        if let Some(refreshed) = announce(publisher, state, draft).await? {
            return Ok(Done::Refreshed(refreshed));
        }
    }
    Err(RegionError { app, region, fault: RegionFault::LostRace { tries: TRIES } })
}
