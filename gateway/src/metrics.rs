//! What `/metrics` says, in the OpenMetrics text format.

use std::sync::atomic::Ordering;

use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::acks::Ledger;
use crate::clock;
use crate::view::View;

/// Counters and gauges of one gateway; clones count together.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    connections: Gauge,
    turned_away: Counter,
    refused: Family<WhyLabels, Counter>,
    reloads: Family<ReloadLabels, Counter>,
    parked: Gauge,
    streams: Gauge,
    notifications: Counter,
    requests: Family<RequestLabels, Counter>,
    bytes: Counter,
    acks: Family<AckLabels, Counter>,
    source_errors: Counter,
    agents: Family<AgentLabels, Gauge>,
    generation: Family<PairLabels, Gauge>,
    issued_ago: Family<PairLabels, Gauge>,
    confirmed_ago: Family<PairLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    class: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AckLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhyLabels {
    why: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    what: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AgentLabels {
    app: String,
    region: String,
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PairLabels {
    app: String,
    region: String,
}

/// One thing that is counted for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Counted {
        gauge.inc();
        Counted(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What happened to long-polls since it was last counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    pub(crate) came: i64,
    pub(crate) left: i64,
    /// Those that were told of another pointer.
    pub(crate) notified: u64,
    pub(crate) whole: Answered,
    pub(crate) same: Answered,
}

/// Answers of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answered {
    pub(crate) number: u64,
    /// Bytes of their bodies.
    pub(crate) bytes: u64,
}

impl Answered {
    /// Counts one more, with a body of that many bytes.
    pub(crate) fn one_more(&mut self, bytes: u64) {
        self.number += 1;
        self.bytes += bytes;
    }
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("driftless_gateway"),
            connections: Gauge::default(),
            turned_away: Counter::default(),
            refused: Family::default(),
            reloads: Family::default(),
            parked: Gauge::default(),
            streams: Gauge::default(),
            notifications: Counter::default(),
            requests: Family::default(),
            bytes: Counter::default(),
            acks: Family::default(),
            source_errors: Counter::default(),
            agents: Family::default(),
            generation: Family::default(),
            issued_ago: Family::default(),
            confirmed_ago: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("connections", "Connections held now", self.connections.clone());
        registry.register(
            "turned_away",
            "Connections answered 503 because there were too many",
            self.turned_away.clone(),
        );
        let help = "Handshakes that failed, and requests without the credentials that are asked for";
        registry.register("refused", help, self.refused.clone());
        let help = "Changes of the files of certificates and agents, by whether they could be used";
        registry.register("reloads", help, self.reloads.clone());
        registry.register("parked", "Long-polls held now", self.parked.clone());
        registry.register("streams", "Large files being sent now", self.streams.clone());
        registry.register("notifications", "Long-polls answered with a newer pointer", self.notifications.clone());
        registry.register("requests", "Requests answered, by what was asked for and how", self.requests.clone());
        registry.register("answered_bytes", "Bytes of bodies that answers announced", self.bytes.clone());
        registry.register("acks", "Acks, or for a whole batch one, by what became of them", self.acks.clone());
        let help = "Agents whose own signed words are known here, by what came of the newest generation they spoke of";
        registry.register("agents", help, self.agents.clone());
        registry.register("source_errors", "Times that the source failed or was refused", self.source_errors.clone());
        registry.register("generation", "Generation of the newest verified pointer", self.generation.clone());
        let help = "Seconds since the newest verified pointer was signed";
        registry.register("pointer_issued_ago_seconds", help, self.issued_ago.clone());
        let help = "Seconds since the source last confirmed the newest verified pointer";
        registry.register("pointer_confirmed_ago_seconds", help, self.confirmed_ago.clone());
    }

    /// Counts a connection.
    pub(crate) fn connected(&self) -> Counted {
        Counted::new(&self.connections)
    }

    /// Counts a long-poll that is held.
    pub(crate) fn parked(&self) -> Counted {
        Counted::new(&self.parked)
    }

    /// Counts a large file that is being sent.
    pub(crate) fn streaming(&self) -> Counted {
        Counted::new(&self.streams)
    }

    /// Connections now.
    pub(crate) fn connections(&self) -> u64 {
        u64::try_from(self.connections.get()).unwrap_or(0)
    }

    /// Long-polls now.
    pub(crate) fn parked_now(&self) -> u64 {
        u64::try_from(self.parked.get()).unwrap_or(0)
    }

    pub(crate) fn turned_away(&self) {
        self.turned_away.inc();
    }

    pub(crate) fn refused(&self, why: &'static str) {
        self.refused.get_or_create(&WhyLabels { why }).inc();
    }

    pub(crate) fn reloaded(&self, what: &'static str, outcome: &'static str) {
        self.reloads.get_or_create(&ReloadLabels { what, outcome }).inc();
    }

    /// Counts, in one go, long-polls that came and went, and what they were answered.
    pub(crate) fn held(&self, tally: &Held) {
        if tally.came != tally.left {
            self.parked.inc_by(tally.came - tally.left);
        }
        self.notifications.inc_by(tally.notified);
        for (status, Answered { number, bytes }) in
            [(StatusCode::OK, tally.whole), (StatusCode::NOT_MODIFIED, tally.same)]
        {
            if number > 0 {
                self.requests
                    .get_or_create(&RequestLabels { class: "pointer", status: status.as_u16() })
                    .inc_by(number);
                self.bytes.inc_by(bytes);
            }
        }
    }

    pub(crate) fn notified(&self) {
        self.notifications.inc();
    }

    pub(crate) fn answered(&self, class: &'static str, status: StatusCode, bytes: u64) {
        self.requests.get_or_create(&RequestLabels { class, status: status.as_u16() }).inc();
        self.bytes.inc_by(bytes);
    }

    pub(crate) fn acks(&self, outcome: &'static str, count: usize) {
        self.acks.get_or_create(&AckLabels { outcome }).inc_by(count as u64);
    }

    /// Everything as text, with `view` and `ledger` as they are now.
    pub(crate) fn encode(&self, view: &View, ledger: &Ledger) -> String {
        let now = clock::now();
        self.source_errors.inner().store(view.health.errors(), Ordering::Relaxed);
        // Outcomes that no agent has any more are gone, too.
        self.agents.clear();
        for (pair, slot) in view.board.slots() {
            for (outcome, count) in ledger.outcomes(&pair) {
                let (app, region) = (pair.app.to_string(), pair.region.to_string());
                let labels = AgentLabels { app, region, outcome: outcome.to_string() };
                self.agents.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
            let labels = PairLabels { app: pair.app.to_string(), region: pair.region.to_string() };
            let posted = slot.posted();
            let seconds = |since| i64::try_from(now.since(since).as_secs()).unwrap_or(i64::MAX);
            let generation = i64::try_from(posted.pointer().generation.number()).unwrap_or(i64::MAX);
            self.generation.get_or_create(&labels).set(generation);
            self.issued_ago.get_or_create(&labels).set(seconds(posted.pointer().issued));
            self.confirmed_ago.get_or_create(&labels).set(seconds(slot.confirmed()));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes all that is written to it");
        text
    }
}
