//! The agents that a publisher hears of: what gates count.
//!
//! In: whatever keeps the book of agents' words, a gateway in the same process say. Out: the newest word of each agent. Knows
//! nothing of how words travel; that each was signed by its own agent is the book keeper's promise.

use std::future::{Future, pending};
use std::pin::Pin;

use schema::{AgentReport, App, Region, Timestamp};

/// What a publisher knows of the agents.
pub trait Fleet: Send + Sync {
    /// The newest word of every agent that is known of in a region.
    fn reports(&self, app: &App, region: &Region) -> Vec<AgentReport>;

    /// Since when words are heard; none where nobody can be heard at all.
    fn listening_since(&self) -> Option<Timestamp>;

    /// Waits until something that [`Fleet::reports`] gives may have changed since this was last awaited. Nothing is lost by
    /// dropping it half way.
    fn changed<'f>(&'f self) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>;
}

/// The fleet of a publisher that serves nobody: it hears nothing, so no gate of its passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFleet;

impl Fleet for NoFleet {
    fn reports(&self, _: &App, _: &Region) -> Vec<AgentReport> {
        Vec::new()
    }

    fn listening_since(&self) -> Option<Timestamp> {
        None
    }

    fn changed<'f>(&'f self) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>> {
        Box::pin(pending())
    }
}
