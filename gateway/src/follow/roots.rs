//! Looks for newer trust roots, now and then. Pointers that need one make us look sooner.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::backoff::jittered;
use crate::view::View;

/// Looks until `shutdown`.
pub(crate) async fn run(view: Arc<View>, shutdown: CancellationToken) {
    let look_again_and_again = async {
        loop {
            view.walk_roots().await;
            tokio::time::sleep(jittered(EVERY)).await;
        }
    };
    shutdown.run_until_cancelled(look_again_and_again).await;
}

const EVERY: Duration = Duration::from_secs(30);
