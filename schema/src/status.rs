//! What a gateway and a publisher say about themselves: the JSON of `GET /v1/status`, and of summaries sent upwards.
//!
//! Not signed and not trusted: for people, dashboards and gates. Every shape here may gain fields; readers ignore what they
//! do not know.

mod histogram;
mod rollout;

use serde::{Deserialize, Serialize};

pub use histogram::Histogram;
pub use rollout::{LegStatus, RolloutStatus};

use crate::ack::{Outcome, Step};
use crate::digest::{CommitId, Digest};
use crate::name::{AgentId, App, Region};
use crate::order::{Epoch, Generation, Serial};
use crate::pointer::Cause;
use crate::time::Timestamp;

/// The answer to `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Name of the gateway that answers.
    pub gateway: String,
    /// Version of the program.
    pub version: String,
    /// The gateway's clock.
    pub now: Timestamp,
    /// When it started.
    pub started: Timestamp,
    /// Where it gets pointers from.
    pub source: SourceStatus,
    /// Connections held right now.
    pub connections: u64,
    /// Long-polls held right now.
    pub parked: u64,
    /// What the publisher in the same process says, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<PublisherStatus>,
    /// Gateways below that told of themselves within the last minutes, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<BelowStatus>,
    /// One for each app and region, sorted.
    pub regions: Vec<RegionStatus>,
}

/// A gateway below, by its own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BelowStatus {
    /// Its name.
    pub gateway: String,
    /// When it last told of itself, by its clock.
    pub at: Timestamp,
    /// How many agents' own signed words it sends along: they are counted here, and not taken from its account.
    pub relays: u64,
    /// How many agents are counted by its account alone, because nobody sent their words along.
    pub counts: u64,
}

/// How following the store or the upstream goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// A store's or an upstream's name, without credentials.
    pub name: String,
    /// When it last answered.
    #[serde(default)]
    pub last_answer: Option<Timestamp>,
    /// What went wrong since, for people.
    #[serde(default)]
    pub problem: Option<String>,
}

/// One app in one region: what it should run and what its agents say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionStatus {
    /// The app.
    pub app: App,
    /// The region.
    pub region: Region,
    /// The newest pointer that verified; absent before the first.
    #[serde(default)]
    pub pointer: Option<PointerStatus>,
    /// What the agents said, here and below.
    pub agents: RegionSummary,
}

/// A pointer in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointerStatus {
    /// Its place in order.
    pub epoch: Epoch,
    /// Its place in order.
    pub generation: Generation,
    /// Its place in order.
    pub serial: Serial,
    /// The stable bundle.
    pub digest: Digest,
    /// The commit it came from.
    pub commit: CommitId,
    /// When it was signed.
    pub issued: Timestamp,
    /// Until when it counts.
    pub expires: Timestamp,
    /// Whether it still counts by the gateway's clock.
    pub fresh: bool,
    /// The bundle that is being rolled out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Digest>,
    /// Whether everyone stays on what they run.
    #[serde(default)]
    pub freeze: bool,
    /// Agents that are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantine: Vec<AgentId>,
    /// Who made this generation, and why, where it was not simply the next commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// A gateway's whole view of its agents, sent upwards: a full snapshot, so losing or repeating one changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the gateway that counts; a newer snapshot by the same name replaces the older.
    pub gateway: String,
    /// When it was taken, by that gateway's clock.
    pub at: Timestamp,
    /// How many agents' own signed words it sends along, counted for each app and region. They are not in `regions`: whoever
    /// has their words counts those.
    #[serde(default)]
    pub relays: u64,
    /// One for each app and region.
    pub regions: Vec<RegionCount>,
}

/// One app and region in a [`Summary`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionCount {
    /// The app.
    pub app: App,
    /// The region.
    pub region: Region,
    /// What its agents said.
    pub agents: RegionSummary,
}

/// What the agents of one app and region said, counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegionSummary {
    /// Agents that ever acked and were not forgotten since.
    pub known: u64,
    /// Newest generation first.
    pub generations: Vec<GenerationSummary>,
    /// Agents whose last word was neither `applied` nor `prepared`, newest first, at most [`RegionSummary::WORST_MAX`].
    pub worst: Vec<WorstAgent>,
}

impl RegionSummary {
    /// How many agents are listed by name.
    pub const WORST_MAX: usize = 20;

    /// Agents whose newest ack says that they applied this generation.
    pub fn applied(&self, epoch: Epoch, generation: Generation) -> u64 {
        let same = |summary: &&GenerationSummary| (summary.epoch, summary.generation) == (epoch, generation);
        self.generations.iter().find(same).map_or(0, |summary| summary.applied)
    }

    /// Adds what another gateway counted. Agents are taken to be in one gateway's view at a time. Sums end at the largest
    /// number: what others say they counted is not trusted.
    pub fn merge(&mut self, other: &RegionSummary) {
        self.known = self.known.saturating_add(other.known);
        for theirs in &other.generations {
            let same = |ours: &&mut GenerationSummary| {
                (ours.epoch, ours.generation, ours.digest) == (theirs.epoch, theirs.generation, theirs.digest)
            };
            match self.generations.iter_mut().find(same) {
                Some(ours) => ours.merge(theirs),
                None => self.generations.push(theirs.clone()),
            }
        }
        self.generations.sort_by_key(|summary| std::cmp::Reverse((summary.epoch, summary.generation)));
        self.worst.extend(other.worst.iter().cloned());
        self.worst.sort_by_key(|worst| std::cmp::Reverse(worst.at));
        self.worst.truncate(RegionSummary::WORST_MAX);
    }
}

/// The agents whose newest ack is about one generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationSummary {
    /// The epoch.
    pub epoch: Epoch,
    /// The generation.
    pub generation: Generation,
    /// The bundle it asked for.
    pub digest: Digest,
    /// How many run it.
    pub applied: u64,
    /// How many were stopped by a hook.
    pub failed: u64,
    /// How many refused the bytes.
    pub refused: u64,
    /// How many hold because the pointer expired.
    pub stale: u64,
    /// How many have a candidate ready.
    #[serde(default)]
    pub prepared: u64,
    /// How many could not get it ready, or whose `check` said no.
    #[serde(default)]
    pub unprepared: u64,
    /// Milliseconds from the pointer's signing to the agent having it.
    pub notified_ms: Histogram,
    /// Milliseconds from the pointer's signing to the agent running it.
    pub applied_ms: Histogram,
}

impl GenerationSummary {
    /// A generation about which nobody said anything yet.
    pub fn new(epoch: Epoch, generation: Generation, digest: Digest) -> GenerationSummary {
        GenerationSummary {
            epoch,
            generation,
            digest,
            applied: 0,
            failed: 0,
            refused: 0,
            stale: 0,
            prepared: 0,
            unprepared: 0,
            notified_ms: Histogram::default(),
            applied_ms: Histogram::default(),
        }
    }

    /// The counter of one outcome.
    pub fn count_of(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Applied => &mut self.applied,
            Outcome::Failed => &mut self.failed,
            Outcome::Refused => &mut self.refused,
            Outcome::Stale => &mut self.stale,
            Outcome::Prepared => &mut self.prepared,
            Outcome::Unprepared => &mut self.unprepared,
        }
    }

    fn merge(&mut self, other: &GenerationSummary) {
        for (ours, theirs) in [
            (&mut self.applied, other.applied),
            (&mut self.failed, other.failed),
            (&mut self.refused, other.refused),
            (&mut self.stale, other.stale),
            (&mut self.prepared, other.prepared),
            (&mut self.unprepared, other.unprepared),
        ] {
            *ours = ours.saturating_add(theirs);
        }
        self.notified_ms.merge(&other.notified_ms);
        self.applied_ms.merge(&other.applied_ms);
    }
}

/// An agent worth a look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstAgent {
    /// Its name.
    pub agent: AgentId,
    /// The generation that it answered.
    pub generation: Generation,
    /// What came of it.
    pub outcome: Outcome,
    /// Where it stopped.
    #[serde(default)]
    pub step: Option<Step>,
    /// Why, in the agent's words; untrusted text.
    #[serde(default)]
    pub reason: Option<Box<str>>,
    /// When, by the agent's clock.
    pub at: Timestamp,
}

/// What a publisher is doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PublisherStatus {
    /// The repository and branch it watches.
    pub source: String,
    /// The newest commit that was accepted and whose bundles are published.
    #[serde(default)]
    pub published: Option<CommitId>,
    /// When that was finished.
    #[serde(default)]
    pub published_at: Option<Timestamp>,
    /// When the branch was last looked at with success.
    #[serde(default)]
    pub last_look: Option<Timestamp>,
    /// Why the newest commit is not published; absent while all is well.
    #[serde(default)]
    pub problem: Option<PublisherProblem>,
    /// What is as it should be and yet worth knowing: regions that left the configuration, bundles taken back by hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Regions that do not get what the newest commit asks for, or not for now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldStatus>,
    /// The newest rollout of every app that goes by a policy, sorted by app.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<RolloutStatus>,
}

/// A region that stays as it is though the newest commit asks for something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldStatus {
    /// The app.
    pub app: App,
    /// The region.
    pub region: Region,
    /// The bundle that it does not get.
    pub digest: Digest,
    /// Why, for people.
    pub why: String,
    /// Whether it gets it by itself once something else has ended; else only another bundle takes its place.
    pub is_pending: bool,
}

/// Why a publisher stays at its last good generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublisherProblem {
    /// The commit that was refused, if one was reached.
    #[serde(default)]
    pub commit: Option<CommitId>,
    /// Whether a rule says no, so that only another commit or rule helps; else it may go away by itself.
    #[serde(default)]
    pub is_refusal: bool,
    /// Since when.
    pub since: Timestamp,
    /// The chain of causes, outermost first.
    pub causes: Vec<String>,
    /// What to do about it.
    #[serde(default)]
    pub hint: Option<String>,
}
