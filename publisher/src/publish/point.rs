//! Last step: the pointer is moved to the record's bytes, and the region runs the bundle.

use std::time::Instant;

use schema::{Pointer, Timestamp, Verified};

use super::draft::Draft;
use super::record::{Recorded, Recording};
use super::report::Moved;
use crate::publisher::Publisher;
use crate::region::{self, RegionError, RegionState};

/// A pointer that stands in the store, or was overtaken by a newer one that does.
pub(super) struct Published {
    record: Verified<Pointer>,
}

/// Takes the last two steps: records `draft` and moves the pointer. None if another publisher has the order.
///
/// # Errors
/// [`RegionError`]; the next start finds out from the history how far it came, and finishes it.
pub(crate) async fn announce(
    publisher: &Publisher,
    state: RegionState,
    draft: Draft,
) -> Result<Option<Moved>, RegionError> {
    let began = Instant::now();
    match Recording::create(publisher, state, draft).await? {
        Recording::Lost => Ok(None),
        Recording::Ours(recorded) => {
            let moved = recorded.publish(publisher).await?.moved(publisher.now());
            let (app, region) = (&moved.app, &moved.region);
            tracing::debug!(%app, %region, took = ?began.elapsed(), "Recorded {} and moved the pointer", moved.order);
            Ok(Some(moved))
        }
    }
}

impl Recorded {
    pub(super) async fn publish(self, publisher: &Publisher) -> Result<Published, RegionError> {
        let Recorded { record, seen } = self;
        let (app, region) = (record.app.clone(), record.region.clone());
        let stays = |fault| RegionError { app: app.clone(), region: region.clone(), fault };
        // A crash before this write leaves a record that is newer than the pointer: the next start finishes it.
        region::point(publisher, &record, seen).await.map_err(stays)?;
        fail::fail_point!("publish-pointer-moved");
        // If we slept between record and pointer, a newer record's pointer may be what we replaced. Then it is put back.
        let newer = publisher.store.history_after(&app, &region, Some(record.order())).await;
        if !newer.map_err(|error| stays(error.into()))?.is_empty() {
            region::settle(publisher, &app, &region).await?;
        }
        Ok(Published { record })
    }
}

impl Published {
    fn moved(self, at: Timestamp) -> Moved {
        let Published { record } = self;
        let (order, digest) = (record.order(), record.stable.digest);
        if order.serial == schema::Serial::FIRST {
            let (app, region, commit) = (&record.app, &record.region, &record.commit);
            tracing::info!(
                %app, %region, generation = %order.generation, bundle = %digest, %commit,
                "Published generation {} of app {app} in {region}: bundle {} of commit {}",
                order.generation, digest.short(), commit.short(),
            );
        }
        Moved { app: record.app.clone(), region: record.region.clone(), order, digest, at }
    }
}
