//! Asking for a pointer that nobody asked for before.
//!
//! With an upstream there is no listing: a pair is followed when the first agent comes for it. How many are is bounded, and a
//! pair that the upstream does not have is not followed on, so invented names cost one question each.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::pair::Pair;

/// What is known of a pair that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing yet, or nobody can be reached, or too many pairs are followed.
    Unknown,
    /// Its pointer is on the board.
    Followed,
    /// The upstream has no such pointer.
    Absent,
}

/// One request to follow a pair, answered with a place to see what comes of it.
pub(super) struct Ask {
    pub(super) pair: Pair,
    pub(super) answer: oneshot::Sender<watch::Receiver<Asked>>,
}

/// The asking side.
#[derive(Clone, Debug)]
pub(crate) struct Demand(mpsc::Sender<Ask>);

/// Makes both sides.
pub(crate) fn demand() -> (Demand, Asks) {
    let (asking, asked) = mpsc::channel(ASKS_MAX);
    (Demand(asking), Asks(asked))
}

/// The side of the follower.
#[derive(Debug)]
pub(crate) struct Asks(pub(super) mpsc::Receiver<Ask>);

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ask").field(&self.pair).finish()
    }
}

impl Demand {
    /// Asks for `pair` and waits for what comes of it, for a short time.
    pub(crate) async fn ask(&self, pair: Pair) -> Asked {
        timeout(PATIENCE, self.until_known(pair)).await.ok().flatten().unwrap_or(Asked::Unknown)
    }

    async fn until_known(&self, pair: Pair) -> Option<Asked> {
        let (answer, progress) = oneshot::channel();
        self.0.try_send(Ask { pair, answer }).ok()?;
        let mut progress = progress.await.ok()?;
        // Where the follower gives up before it knows, its last word stands.
        progress.wait_for(|asked| *asked != Asked::Unknown).await.ok().map(|asked| *asked)
    }
}

const ASKS_MAX: usize = 1024;
/// Less than agents wait for the head of an answer.
const PATIENCE: Duration = Duration::from_secs(5);
