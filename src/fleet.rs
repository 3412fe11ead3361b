//! Lets a publisher hear of the agents through the gateway beside it.

use std::future::Future;
use std::pin::Pin;

use gateway::Agents;
use publisher::rollout::Fleet;
use schema::{AgentReport, App, Region, Timestamp};
use tokio::sync::Mutex;

/// The agents of a gateway, as a publisher asks for them.
pub(crate) struct Heard {
    agents: Agents,
    /// The same, for whoever waits: it remembers what was seen last.
    waiting: Mutex<Agents>,
}

impl Heard {
    /// What is heard through the gateway that gave `agents`.
    pub(crate) fn through(agents: Agents) -> Heard {
        Heard { waiting: Mutex::new(agents.clone()), agents }
    }
}

impl Fleet for Heard {
    fn reports(&self, app: &App, region: &Region) -> Vec<AgentReport> {
        self.agents.reports(app, region)
    }

    fn listening_since(&self) -> Option<Timestamp> {
        Some(self.agents.listening_since())
    }

    fn changed<'f>(&'f self) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>> {
        Box::pin(async { self.waiting.lock().await.changed().await })
    }
}
