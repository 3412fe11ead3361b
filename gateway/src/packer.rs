//! Has what goes along with new pointers gathered, beside everything else.
//!
//! In: a board. Out: packs on what is posted there. Nobody waits for this for long: who does says for how long himself.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::board::{Posted, Slot};
use crate::http::Service;
use crate::packs::{Packs, Room};
use crate::pair::Pair;

/// Packs what is posted until `closing`.
pub(crate) async fn run(service: Arc<Service>, closing: CancellationToken) {
    closing.run_until_cancelled(again_and_again(service)).await;
}

async fn again_and_again(service: Arc<Service>) {
    let (mut packing, room) = (JoinSet::new(), Room::new(ROOM_BYTES));
    // Whose packs are made, or were.
    let mut begun = std::collections::BTreeMap::<Pair, u64>::new();
    loop {
        for (pair, slot) in service.view.board.slots() {
            let posted = slot.posted();
            if begun.insert(pair, posted.turn()) != Some(posted.turn()) {
                while packing.len() >= AT_ONCE {
                    ended(packing.join_next().await);
                }
                packing.spawn(pack(Arc::clone(&service), slot, posted, room.clone()));
            }
        }
        while let Some(done) = packing.try_join_next() {
            ended(Some(done));
        }
        service.view.board.news().await;
    }
}

async fn pack(service: Arc<Service>, slot: Arc<Slot>, posted: Arc<Posted>, room: Room) {
    let packs = Packs::make(&service.objects, posted.pointer(), &room).await;
    slot.pack(&posted, packs);
}

fn ended(ended: Option<Result<(), tokio::task::JoinError>>) {
    if let Some(Err(panicked)) = ended {
        error!(%panicked, "Gathering what goes along with a pointer failed: {panicked}");
    }
}

/// So many pointers at the same time.
const AT_ONCE: usize = 8;
/// For the packs of a thousand pointers with a few patches of some tens of KiB each.
const ROOM_BYTES: usize = 256 * 1024 * 1024;
