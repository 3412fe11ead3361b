//! When each agent in this process reached each step of the apply path.
//!
//! In: the diary events with which the agent library names its steps, and the spans that tell whose they are. Out: a moment for
//! each agent and step. Listens only where a bench asks for it, and changes nothing about the library.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Metadata, Span, Subscriber, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// The moments of all agents in this process; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks(Arc<Mutex<BTreeMap<u64, Moments>>>);

/// Microseconds since 1970, by step; the last time that the agent got there.
pub(super) type Moments = BTreeMap<&'static str, u64>;

/// Microseconds since 1970.
pub(super) fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Marks {
    /// The span in which the agent with that number is to run.
    pub(super) fn span(agent: u64) -> Span {
        info_span!(target: TARGET, "measured", agent)
    }

    /// How many agents have reached the step.
    pub(super) fn reached(&self, step: &str) -> usize {
        self.moments().values().filter(|moments| moments.contains_key(step)).count()
    }

    /// Everything so far; what comes next begins with nothing.
    pub(super) fn take(&self) -> BTreeMap<u64, Moments> {
        std::mem::take(&mut *self.moments())
    }

    /// What listens to the diary.
    pub(crate) fn layer<S: Subscriber + for<'s> LookupSpan<'s>>(self) -> impl Layer<S> {
        Listener(self).with_filter(filter_fn(matters))
    }

    fn moments(&self) -> MutexGuard<'_, BTreeMap<u64, Moments>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Our spans, those of apps between them and the steps, and the steps.
fn matters(metadata: &Metadata<'_>) -> bool {
    let is_agents = metadata.target().starts_with("edge_agent");
    match metadata.is_span() {
        true => metadata.target() == TARGET || (is_agents && metadata.name() == "app"),
        false => is_agents && metadata.fields().field(STEP).is_some(),
    }
}

struct Listener(Marks);

/// Whose span it is.
struct Agent(u64);

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut read = Read::default();
        attributes.record(&mut read);
        if let (Some(agent), Some(span)) = (read.agent, context.span(id)) {
            span.extensions_mut().insert(Agent(agent));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let now = micros(SystemTime::now());
        let mut read = Read::default();
        event.record(&mut read);
        let mut spans = context.event_scope(event).into_iter().flatten();
        let agent = spans.find_map(|span| span.extensions().get::<Agent>().map(|Agent(number)| *number));
        if let (Some(step), Some(agent)) = (read.step, agent) {
            self.0.moments().entry(agent).or_default().insert(step, now);
        }
    }
}

/// The fields that matter.
#[derive(Default)]
struct Read {
    agent: Option<u64>,
    step: Option<&'static str>,
}

impl Visit for Read {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "agent" {
            self.agent = Some(value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == STEP {
            self.step = edge_agent::STEPS.into_iter().find(|step| *step == value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

const TARGET: &str = "driftless::bench::marks";
const STEP: &str = "step";

#[cfg(test)]
mod tests {
    use tracing::trace;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn steps_are_told_apart_by_agent_and_other_words_are_not_heard() {
        let marks = Marks::default();
        let listening = tracing_subscriber::registry().with(marks.clone().layer());
        tracing::subscriber::with_default(listening, || {
            for agent in [3, 4] {
                let _inside = Marks::span(agent).entered();
                let _app = info_span!(target: "edge_agent::agent", "app", app = "web").entered();
                trace!(target: "edge_agent::apply::marks", step = edge_agent::STEPS[0]);
                trace!(target: "edge_agent::apply::marks", step = "no such step");
                trace!(target: "elsewhere", step = edge_agent::STEPS[1]);
            }
        });
        assert_eq!((marks.reached(edge_agent::STEPS[0]), marks.reached(edge_agent::STEPS[1])), (2, 0));
        assert_eq!(marks.take().into_keys().collect::<Vec<_>>(), [3, 4]);
        assert_eq!(marks.reached(edge_agent::STEPS[0]), 0);
    }
}
