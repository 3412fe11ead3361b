//! Counts interim answers (1xx), which a server may send any number of before the one that was asked for.
//!
//! In: a request that is about to be sent. Out: word that too many came. The HTTP library passes over them without a limit,
//! and a deadline alone would let a server keep us reading as fast as we can until it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use tokio::sync::Notify;

/// The interim answers to one request.
#[derive(Clone, Default)]
pub(crate) struct Interim(Arc<Count>);

#[derive(Default)]
struct Count {
    seen: AtomicUsize,
    too_many: Notify,
}

impl Interim {
    /// Begins to count.
    pub(crate) fn to<B>(request: &mut Request<B>) -> Interim {
        let interim = Interim::default();
        let count = interim.0.clone();
        hyper::ext::on_informational(request, move |_| {
            if count.seen.fetch_add(1, Ordering::Relaxed) == INTERIM_MAX {
                count.too_many.notify_one();
            }
        });
        interim
    }

    /// Waits until there are more than [`INTERIM_MAX`].
    pub(crate) async fn too_many(&self) {
        self.0.too_many.notified().await;
    }
}

/// Honest servers send one or two: `100 Continue`, `103 Early Hints`.
pub(crate) const INTERIM_MAX: usize = 16;
