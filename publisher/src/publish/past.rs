//! Whether a bundle was good for a region before: what its history says.

use futures_util::TryStreamExt as _;
use schema::{App, Digest, Region, Serial, StorePath};

use crate::history::records;
use crate::plan::Past;
use crate::publisher::Publisher;
use crate::region::RegionFault;
use crate::rollout::is_known_good;

/// How many generations are looked back. A bundle that was left longer ago has to prove itself again.
const LOOKED_BACK_MAX: usize = 512;

/// What the region's history says of `digest`, which the region does not run.
pub(crate) async fn past(
    publisher: &Publisher,
    app: &App,
    region: &Region,
    digest: &Digest,
) -> Result<Past, RegionFault> {
    // Most changes are new, and what nobody ever released was stable nowhere.
    let manifest = StorePath::Manifest { app: app.clone(), digest: *digest };
    if publisher.store.stream(&manifest, Some(0..1)).await?.is_none() {
        return Ok(Past::Unproven);
    }
    let orders = publisher.store.history_after(app, region, None).await?;
    let changes = orders.into_iter().rev().filter(|order| order.serial == Serial::FIRST).take(LOOKED_BACK_MAX);
    let mut stables: Vec<Digest> = records(&publisher.store, &publisher.roots, (app, region), changes)
        .map_ok(|pointer| pointer.stable.digest)
        .try_collect()
        .await?;
    stables.reverse();
    stables.dedup();
    Ok(if is_known_good(&stables, digest) { Past::KnownGood } else { Past::Unproven })
}
