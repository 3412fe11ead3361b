//! What came of a run, for people and for programs.

mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Moment;
use crate::constants::Constant;
use crate::latency::Latency;
use crate::propagation::{Spread, Stride, Times};
use crate::scenario::Scenario;
use crate::topology::{Edge, Topology};
use crate::traffic::{Cargo, Layer, Moved};
use crate::world::{FIRST_COMMIT, World};

/// What came of a run. [`Display`](std::fmt::Display) tells it to people.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was asked.
    pub setting: Setting,
    /// How long the run was, from the first commit to the end, in its own time.
    pub simulated_s: f64,
    /// How many things happened.
    pub events: u64,
    /// How often each real decision was made.
    pub decisions: Decisions,
    /// Commit by commit.
    pub commits: Vec<CommitReport>,
    /// Of the bundles that agents fetched, the share that came as patches; none where none was fetched.
    pub patch_hit_share: Option<f64>,
    /// Layer by layer, the publisher's own first.
    pub layers: Vec<LayerReport>,
    /// Acks in a second that say nothing new, at every layer on their way: every agent says its last word twice a minute.
    pub heartbeats_per_s: f64,
    /// What had to hold.
    pub rules: Vec<RuleReport>,
    /// What was taken for granted.
    pub constants: BTreeMap<Box<str>, Constant>,
    /// What to keep in mind.
    pub notes: Vec<String>,
}

/// What was asked of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// How many.
    pub agents: u32,
    /// How many.
    pub regions: u16,
    /// What stood between.
    pub topology: Topology,
    /// By which name commits went.
    pub policy: Box<str>,
    /// How long messages took.
    pub latency: Latency,
    /// The share of exchanges that were lost.
    pub loss: f64,
    /// How many.
    pub commits: u16,
    /// The share of agents on which the last one failed.
    pub fail_share: f64,
    /// Where all chance came from.
    pub seed: u64,
}

/// How often each real decision was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Decisions {
    /// What an agent does next, each of which asks a pointer for the agent's assignment.
    pub decide: u64,
    /// Assignments besides those.
    pub assignment: u64,
    /// Whether a pointer may take the place of another.
    pub succession: u64,
    /// Whom a follower asks next, and when.
    pub schedule: u64,
    /// How long a failed attempt rests.
    pub backoff: u64,
    /// Steps of the rollout controller.
    pub controller: u64,
    /// Different histories that hosts had: as many journals were kept.
    pub journals: usize,
}

/// How a commit got about.
#[derive(Clone, Debug, Serialize)]
pub struct CommitReport {
    /// Counted from one.
    pub commit: u16,
    /// How its publication or rollout ended.
    pub ended: Box<str>,
    /// When, counted from the commit.
    pub ended_s: f64,
    /// From the commit to a pointer that names it, seen by an agent.
    pub seen: Percentiles,
    /// From the commit to the bundle running on an agent, its hooks content.
    pub applied: Percentiles,
    /// How many agents ever ran it, and how many might have.
    pub on: u64,
    /// By the waves that began, BLAST.
    pub allowed: u64,
    /// Step by step, where it was rolled out.
    pub steps: Vec<StepReport>,
}

/// How one step of a rollout got about.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// Which.
    pub step: Box<str>,
    /// When its record was made, counted from the commit.
    pub began_s: f64,
    /// From there to the pointer in the hands of an agent that it asks for something.
    pub seen: Percentiles,
    /// From there to that being done.
    pub done: Percentiles,
}

/// How long it took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// How many agents.
    pub agents: u64,
    /// Half of them.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// All but one in a hundred.
    pub p99_ms: f64,
    /// All but one in a thousand.
    pub p999_ms: f64,
    /// All.
    pub last_ms: f64,
}

/// What one layer did, from the first commit on.
#[derive(Clone, Debug, Serialize)]
pub struct LayerReport {
    /// `origin` (the publisher's gateway, and the bucket), `cdn`, `roots` or `gateways`.
    pub layer: &'static str,
    /// How many there are of it; a bucket and the gateway beside it are one.
    pub nodes: usize,
    /// Requests in a second, all nodes together: over the run.
    pub requests_per_s: f64,
    /// In the busiest second.
    pub requests_peak_per_s: u32,
    /// Acks that arrived in the busiest second.
    pub acks_peak_per_s: u32,
    /// What it sent, except for `acks`, which it received.
    pub transfers: BTreeMap<&'static str, TransferReport>,
    /// What it sent in all.
    pub bytes_sent: u64,
}

/// How much of one kind.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TransferReport {
    /// How often.
    pub times: u64,
    /// How much, with the heads of answers.
    pub bytes: u64,
}

/// Whether a rule held.
#[derive(Clone, Debug, Serialize)]
pub struct RuleReport {
    /// `MONO`, `BLAST` or `CONVERGE`.
    pub rule: &'static str,
    /// How often it was broken.
    pub broken: u64,
    /// How, the first time.
    pub first: Option<String>,
}

impl Report {
    /// Whether all rules held.
    pub fn is_sound(&self) -> bool {
        self.rules.iter().all(|rule| rule.broken == 0)
    }
}

impl Percentiles {
    fn of(times: &[u32]) -> Percentiles {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let at = |share: f64| {
            let rank = (sorted.len() as f64 * share).ceil() as usize;
            sorted.get(rank.saturating_sub(1)).map_or(0.0, |time| f64::from(*time) / 100.0)
        };
        Percentiles {
            agents: sorted.len() as u64,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            last_ms: at(1.0),
        }
    }
}

/// What came of it.
pub(crate) fn report(world: &World<'_>) -> Report {
    let Scenario { agents, regions, topology, latency, loss, commits, fail_share, seed, ref constants, .. } =
        *world.scenario;
    let policy = world.controller.policy().map_or_else(|| "all-at-once".into(), |policy| policy.name.clone());
    let fetched = world.patched + world.fetched_whole;
    let decisions = Decisions { controller: world.controller.steps, journals: world.hosts.len(), ..world.decisions };
    let numbered = || (1..).zip(&world.propagation.commits);
    Report {
        setting: Setting { agents, regions, topology, policy, latency, loss, commits, fail_share, seed },
        simulated_s: seconds(world.now, FIRST_COMMIT),
        events: world.events,
        decisions,
        commits: numbered().map(|(number, spread)| commit(number, spread, &world.propagation.steps)).collect(),
        patch_hit_share: (fetched > 0).then(|| world.patched as f64 / fetched as f64),
        layers: layers(world),
        heartbeats_per_s: f64::from(agents) / HEARTBEAT_S,
        rules: rules(world),
        constants: constants.each().map(|(name, constant)| (name.into(), constant.clone())).collect(),
        notes: notes(world),
    }
}

fn commit(number: u16, spread: &Spread, steps: &[Stride]) -> CommitReport {
    let ended = spread.ended.as_ref();
    let Times { seen, done } = &spread.times;
    let step = |stride: &Stride| StepReport {
        step: stride.name.clone(),
        began_s: seconds(stride.began, spread.committed),
        seen: Percentiles::of(&stride.times.seen),
        done: Percentiles::of(&stride.times.done),
    };
    CommitReport {
        commit: number,
        ended: ended.map_or_else(|| "did not end".into(), |(_, words)| words.clone()),
        ended_s: ended.map_or(0.0, |(at, _)| seconds(*at, spread.committed)),
        seen: Percentiles::of(seen),
        applied: Percentiles::of(done),
        on: spread.on,
        allowed: spread.allowed,
        steps: steps.iter().filter(|stride| stride.commit == number).map(step).collect(),
    }
}

fn layers(world: &World<'_>) -> Vec<LayerReport> {
    let count = |layer| world.gateways.iter().filter(|gateway| gateway.layer == layer).count();
    let cdn = if world.scenario.topology.cdn { usize::from(world.scenario.regions) } else { 0 };
    let nodes = [("origin", 1), ("cdn", cdn), ("roots", count(Layer::Roots)), ("gateways", count(Layer::Leaves))];
    let there = Layer::ALL.into_iter().zip(nodes).filter(|(_, (_, nodes))| *nodes > 0);
    there.map(|(layer, (name, nodes))| one_layer(name, nodes, world.traffic.of(layer), world.now)).collect()
}

fn one_layer(layer: &'static str, nodes: usize, moved: &Moved, end: Moment) -> LayerReport {
    let counted = |seconds: &[u32]| seconds.get(FIRST_COMMIT.second()..).unwrap_or_default().to_vec();
    let (requests, acks) = (counted(&moved.requests), counted(&moved.acks));
    let sum: u64 = requests.iter().map(|number| u64::from(*number)).sum();
    let names = Cargo::ALL.into_iter().zip(["unchanged", "pointers", "manifests", "patches", "wholes", "acks"]);
    let transfers = names.map(|(cargo, name)| {
        let (times, bytes) = moved.cargo[cargo as usize];
        (name, TransferReport { times, bytes })
    });
    let transfers: BTreeMap<&'static str, TransferReport> =
        transfers.filter(|(_, transfer)| transfer.times > 0).collect();
    let sent = transfers.iter().filter(|(name, _)| **name != "acks");
    LayerReport {
        layer,
        nodes,
        requests_per_s: sum as f64 / seconds(end, FIRST_COMMIT).max(1.0),
        requests_peak_per_s: requests.iter().copied().max().unwrap_or(0),
        acks_peak_per_s: acks.iter().copied().max().unwrap_or(0),
        bytes_sent: sent.map(|(_, transfer)| transfer.bytes).sum(),
        transfers,
    }
}

fn rules(world: &World<'_>) -> Vec<RuleReport> {
    let rules = [("MONO", &world.rules.backward), ("BLAST", &world.rules.beyond), ("CONVERGE", &world.rules.astray)];
    rules.map(|(rule, breaches)| RuleReport { rule, broken: breaches.number, first: breaches.first.clone() }).into()
}

fn notes(world: &World<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let edge = world.scenario.topology.edge;
    if let Edge::Gateways { leaves } | Edge::Tree { leaves, .. } = edge {
        let each = world.scenario.agents.div_ceil(u32::from(world.scenario.regions) * leaves);
        if each > CONNECTIONS {
            notes.push(format!(
                "each gateway holds {each} agents, and `connections` in gateway.yaml is {CONNECTIONS} by default"
            ));
        }
    }
    let ack_s = world.scenario.constants.ack.length().as_secs_f64() / world.scenario.constants.cores.value;
    let load = f64::from(world.scenario.agents) / HEARTBEAT_S * ack_s;
    if load > 0.5 {
        notes.push(format!(
            "heartbeats alone would take {:.0} % of the publisher's processors; the run does not count them in, so have agents \
             speak less often than every {HEARTBEAT_S} s (`heartbeat` in agent.yaml)",
            load * 100.0
        ));
    }
    if world.controller.policy().and_then(|policy| policy.gate.as_ref()).is_some_and(|gate| !gate.checks.is_empty()) {
        notes.push("the checks of the policy said yes whenever they were asked".to_owned());
    }
    notes
}

fn seconds(now: Moment, since: Moment) -> f64 {
    now.since(since).as_millis() as f64 / 1000.0
}

/// An agent's, by default.
const HEARTBEAT_S: f64 = 30.0;
/// A gateway's limit, by default.
const CONNECTIONS: u32 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_rank() {
        let times: Vec<u32> = (1..=1_000).rev().collect();
        let Percentiles { agents, p50_ms, p90_ms, p99_ms, p999_ms, last_ms } = Percentiles::of(&times);
        assert_eq!((agents, p50_ms, p90_ms, p99_ms, p999_ms, last_ms), (1_000, 5.0, 9.0, 9.9, 9.99, 10.0));
        assert_eq!(Percentiles::of(&[]), Percentiles::default());
        assert_eq!(Percentiles::of(&[700]).p50_ms, 7.0);
    }
}
