//! Follows a store: finds every app and region in it, and reads their pointers again and again.
//!
//! Looks when a file changes (a directory tells), when the publisher in this process has something new, and when the poll
//! interval is over. Pointers are read with `If-None-Match`, so a look that finds nothing new moves no pointer. Only the
//! store's own statement counts: a region that is no longer listed keeps its pointer.

mod hints;
mod looker;
mod read;

use std::sync::Arc;
use std::time::Duration;

use schema::status::PublisherStatus;
use store::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::hints::{Hints, Look};
use self::looker::Looker;
use super::backoff::{Backoff, jittered};
use crate::view::View;

/// Follows `store` until `shutdown`.
pub(crate) async fn follow_store(
    store: Store,
    view: Arc<View>,
    poll: Duration,
    publisher: Option<watch::Receiver<PublisherStatus>>,
    shutdown: CancellationToken,
) {
    let watched = store.clone();
    // Walks the folders of a directory.
    let directory = tokio::task::spawn_blocking(move || watched.watch()).await.ok();
    let mut hints = Hints { directory, publisher };
    let mut looker = Looker::new(store, Arc::clone(&view));
    let follow = async {
        let mut backoff = Backoff::default();
        let mut look = Look::Thorough;
        view.walk_roots().await;
        loop {
            looker.begin(look);
            looker.go_on_for(SLOW).await;
            let pause = if looker.is_away() {
                backoff.next(poll)
            } else {
                backoff.reset();
                jittered(poll)
            };
            // A burst of changes is worth a few looks, not one for each.
            tokio::time::sleep(BURST).await;
            look = looker.go_on_until(hints.hinted_within(pause)).await;
        }
    };
    shutdown.run_until_cancelled(follow).await;
}

/// Longer than a store in good health takes; who takes longer is not waited for.
const SLOW: Duration = Duration::from_millis(500);
const BURST: Duration = Duration::from_millis(5);
