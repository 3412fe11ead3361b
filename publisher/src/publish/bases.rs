//! Which bundles patches are made against: those that the regions ran last which are to get the new one.
//!
//! In: the regions' pointers, and their history where it is not known yet. Out: bundles, the most recent first.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use schema::{App, CommitId, Digest, Generation, Order, Pointer, Region, Serial, Verified};

use super::a_few_at_a_time;
use super::kept::Ran;
use crate::causes;
use crate::history::records;
use crate::publisher::Publisher;
use crate::region::RegionFault;

/// How many generations are read, for each bundle that is looked for: a rollout takes several.
const GENERATIONS_EACH: u64 = 8;

/// A bundle that agents are likely to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) digest: Digest,
    /// A commit that has it, for this region.
    pub(super) commit: CommitId,
    pub(super) region: Region,
}

/// The bundles that regions ran before `digest`, as many as patches are made.
///
/// Of a region whose history cannot be read only the newest is known, and the publication goes on: patches save bytes and no more.
pub(super) async fn bases(
    publisher: &Publisher,
    app: &App,
    digest: Digest,
    regions: &[(Region, Verified<Pointer>)],
) -> Vec<Base> {
    if publisher.patches == 0 {
        return Vec::new();
    }
    let reads = regions.iter().map(|(region, newest)| ran(publisher, app, region, newest));
    let ran = a_few_at_a_time(reads.collect()).await;
    let mut bases: Vec<Base> = Vec::new();
    // The newest of each region first, then the second of each, and so on.
    for rank in 0..publisher.patches + 1 {
        for ((region, _), bundles) in regions.iter().zip(&ran) {
            let Some((of, commit)) = bundles.get(rank) else { continue };
            if *of != digest && bases.iter().all(|base| base.digest != *of) && bases.len() < publisher.patches {
                bases.push(Base { digest: *of, commit: commit.clone(), region: region.clone() });
            }
        }
    }
    bases
}

/// What a region ran last, newest first; kept for the next time.
async fn ran(publisher: &Publisher, app: &App, region: &Region, newest: &Pointer) -> Vec<(Digest, CommitId)> {
    let stable = (newest.stable.digest, newest.commit.clone());
    let most = publisher.patches + 1;
    let known = publisher.kept.ran(app, region);
    let follows = |ran: &Ran| ran.generation == newest.generation || ran.generation.next() == Some(newest.generation);
    let mut bundles = match known.filter(follows) {
        Some(ran) => ran.bundles,
        None => match read(publisher, app, region, newest, most).await {
            Ok(bundles) => bundles,
            Err(error) => {
                tracing::warn!(%app, %region, "What {region} ran before is not known, so there are fewer patches: {}", causes(&error).join(": "));
                Vec::new()
            }
        },
    };
    bundles.retain(|(digest, _)| *digest != stable.0);
    bundles.insert(0, stable);
    bundles.truncate(most);
    publisher.kept.keep_ran(app, region, Ran { generation: newest.generation, bundles: bundles.clone() });
    bundles
}

async fn read(
    publisher: &Publisher,
    app: &App,
    region: &Region,
    newest: &Pointer,
    most: usize,
) -> Result<Vec<(Digest, CommitId)>, RegionFault> {
    let Publisher { store, roots, .. } = publisher;
    let reach = GENERATIONS_EACH * most as u64;
    let beyond = Generation::new(newest.generation.number().saturating_sub(reach));
    let beyond = Order { epoch: newest.epoch, generation: beyond, serial: Serial::new(u64::MAX) };
    let orders = store.history_after(app, region, Some(beyond)).await?;
    let changes = orders.into_iter().rev().filter(|order| order.epoch == newest.epoch && order.serial == Serial::FIRST);
    let mut pointers = pin!(records(store, roots, (app, region), changes));
    let mut bundles: Vec<(Digest, CommitId)> = Vec::new();
    while bundles.len() < most
        && let Some(pointer) = pointers.try_next().await?
    {
        if bundles.iter().all(|(digest, _)| *digest != pointer.stable.digest) {
            bundles.push((pointer.stable.digest, pointer.commit.clone()));
        }
    }
    Ok(bundles)
}
