//! What a publisher in the same process reads: the newest signed word of every agent, and when there is a newer one.

use std::sync::Arc;

use schema::{AgentReport, App, Region, Timestamp};
use tokio::sync::watch;

use crate::acks::Answers;
use crate::pair::Pair;

/// The book of a gateway's agents: those that answer here, and those whose signed words gateways below send along.
///
/// Cheap to clone. It reads on after the gateway has stopped; nothing changes any more then.
#[derive(Clone, Debug)]
pub struct Agents {
    answers: Arc<Answers>,
    changes: watch::Receiver<()>,
    listening_since: Timestamp,
}

impl Agents {
    pub(crate) fn new(answers: &Arc<Answers>, listening_since: Timestamp) -> Agents {
        Agents { answers: Arc::clone(answers), changes: answers.here.changes(), listening_since }
    }

    /// The newest word of each agent of `app` in `region`, in no order.
    ///
    /// Costs a copy of each word, so it is nothing to ask for with every ack. Acks are held up for a small part of that time:
    /// words are shared under the lock, and copied outside it.
    pub fn reports(&self, app: &App, region: &Region) -> Vec<AgentReport> {
        self.answers.here.reports(&Pair { app: app.clone(), region: region.clone() })
    }

    /// Since when agents can have been heard.
    pub fn listening_since(&self) -> Timestamp {
        self.listening_since
    }

    /// Waits until an agent says something else than before. Many changes at once, or since the last call, are one; that
    /// an agent says the same again is none.
    ///
    /// Safe to drop half-way.
    pub async fn changed(&mut self) {
        // The book keeps the sender for as long as this keeps the book.
        let _ = self.changes.changed().await;
    }
}
