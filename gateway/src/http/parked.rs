//! Holds a long-poll until there is something to say.
//!
//! In: a slot, what the client has, how long it will wait. Out: how the wait ended. Knows nothing of requests and answers,
//! so that what holds tens of thousands of agents can be replaced without a look at the rest.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::etag::Held;
use crate::board::{Posted, Slot};
use crate::metrics::Metrics;

/// How a wait ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Another pointer than the client's is posted.
    Changed(Arc<Posted>),
    /// As long as the client wanted, and nothing happened.
    WaitOver,
    /// This gateway is going away.
    Closing,
}

/// Waits until `slot` has another pointer than `held`, at most `wait`.
///
/// The slot is asked what it has now, not what happened to it, so a change between the client's answers is never missed.
pub(super) async fn hold(
    slot: &Slot,
    held: &Held,
    wait: Duration,
    metrics: &Metrics,
    closing: &CancellationToken,
) -> Ended {
    let mut posted = slot.watch();
    let _parked = metrics.parked();
    let changed = async {
        let other = posted.wait_for(|posted| !held.covers(posted.etag())).await;
        Arc::clone(&other.expect("a slot outlives whoever waits on it"))
    };
    tokio::select! {
        posted = changed => {
            metrics.notified();
            Ended::Changed(posted)
        }
        () = tokio::time::sleep(wait) => Ended::WaitOver,
        () = closing.cancelled() => Ended::Closing,
    }
}
