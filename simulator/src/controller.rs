//! The rollout controller, in simulated time: the publisher's own step, and what a publisher does around it.
//!
//! In: pointers, and what agents said. Out: the next record, and the pointers to move. How often a publisher takes a turn goes by
//! the rules of its driver: a moment after it heard something, and never more than a fifth of its time.

use std::collections::BTreeMap;
use std::time::Duration;

use publisher::rollout::{CheckVerdict, Observed, RegionView, Start, Step, Wanted, begin, step, wanted};
use schema::ack::Active;
use schema::rollout::{End, Policy, Rollout, RolloutId, Stage};
use schema::{AgentId, AgentReport, Outcome, Timestamp};

use crate::clock::Moment;
use crate::host::REASON;
use crate::origin::{Origin, commit};

/// What a publisher knows of the agents, and where its rollout is.
pub(crate) struct Controller {
    policy: Option<Policy>,
    checks: BTreeMap<Box<str>, CheckVerdict>,
    state: Option<Rollout>,
    /// The newest word of every agent, region by region.
    reports: Vec<Vec<AgentReport>>,
    /// When the heartbeats were last taken note of.
    beaten: Moment,
    last_fleet: u64,
    /// Before when nothing that is heard leads to a turn.
    rested: Moment,
    /// The turn that is due next; earlier ones are over.
    pub(crate) turn: u32,
    /// When that one is due.
    pub(crate) due: Option<Moment>,
    /// Steps taken so far.
    pub(crate) steps: u64,
}

/// What an agent said about a generation; the same for all who say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Word {
    pub(crate) region: usize,
    pub(crate) version: u32,
    pub(crate) bundle: u16,
    pub(crate) outcome: Outcome,
    pub(crate) step: Option<schema::ack::Step>,
    /// What the host runs now.
    pub(crate) runs: u16,
    pub(crate) failures: u32,
}

impl Controller {
    /// Everyone was heard, and runs the first bundle.
    pub(crate) fn new(policy: Option<Policy>, origin: &Origin, agents: impl Fn(usize) -> Vec<AgentId>) -> Controller {
        let gate = policy.iter().filter_map(|policy| policy.gate.as_ref());
        let checks = gate.flat_map(|gate| gate.checks.iter().cloned()).map(|name| (name, CheckVerdict::Yes)).collect();
        let reports = (0..origin.regions()).map(|region| {
            let first = origin.pointer(region, 0);
            let report = |agent| AgentReport {
                agent,
                labels: BTreeMap::new(),
                heard: first.issued,
                epoch: first.epoch,
                generation: first.generation,
                attempted: first.stable.digest,
                outcome: Outcome::Applied,
                step: None,
                reason: None,
                at: first.issued,
                active: Some(Active { digest: first.stable.digest, epoch: first.epoch, generation: first.generation }),
                failures: 0,
            };
            agents(region).into_iter().map(report).collect()
        });
        Controller {
            checks,
            state: None,
            reports: reports.collect(),
            beaten: Moment::START,
            last_fleet: 0,
            rested: Moment::START,
            turn: 0,
            due: None,
            steps: 0,
            policy,
        }
    }

    pub(crate) fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    pub(crate) fn agent(&self, region: usize, place: u32) -> &AgentId {
        &self.reports[region][place as usize].agent
    }

    /// Begins a rollout of the commit of that number, if commits go by a policy.
    pub(crate) fn begin(&mut self, origin: &Origin, number: u16, seed: u64, now: Moment) -> Option<&Rollout> {
        let policy = self.policy.clone()?;
        self.last_fleet = self.state.iter().flat_map(|state| state.regions.values()).map(|leg| leg.fleet).sum();
        let id = (1..number).fold(RolloutId::FIRST, |id, _| id.next());
        let (app, regions) = (origin.app.clone(), origin.departures(number));
        let now = now.timestamp();
        Some(self.state.insert(begin(Start { app, id, commit: commit(number), policy, regions, seed, now })))
    }

    /// The newest record.
    pub(crate) fn state(&self) -> Option<&Rollout> {
        self.state.as_ref()
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.as_ref().is_none_or(Rollout::is_over) && self.due.is_none()
    }

    /// Makes that the newest record.
    pub(crate) fn record(&mut self, next: Rollout) {
        self.state = Some(next);
    }

    /// What the newest record means for a region.
    pub(crate) fn wanted(&self, region: &schema::Region) -> Option<Wanted> {
        wanted(self.state.as_ref()?, region)
    }

    /// An agent of that place in its region is heard.
    pub(crate) fn hear(&mut self, origin: &Origin, place: u32, word: &Word, now: Moment) {
        let pointer = origin.pointer(word.region, word.version);
        let report = &mut self.reports[word.region][place as usize];
        if (report.epoch, report.generation) > (pointer.epoch, pointer.generation) {
            return;
        }
        let heard = now.timestamp();
        let active =
            Active { digest: origin.bundle(word.runs).digest, epoch: pointer.epoch, generation: pointer.generation };
        report.heard = heard;
        report.at = heard;
        report.epoch = pointer.epoch;
        report.generation = pointer.generation;
        report.attempted = origin.bundle(word.bundle).digest;
        report.outcome = word.outcome;
        report.step = word.step;
        report.reason = word.step.map(|_| REASON.into());
        report.active = Some(active);
        report.failures = word.failures;
    }

    /// What happens next, by all that is known now.
    pub(crate) fn step(&mut self, origin: &Origin, now: Moment) -> Step {
        self.beat(now);
        let Some(state) = &self.state else { return Step::default() };
        let regions = (0..origin.regions()).map(|region| {
            let pointer = &**origin.pointer(region, origin.stored(region));
            (origin.region(region), RegionView { pointer, reports: &self.reports[region] })
        });
        let seen = Observed {
            regions: regions.collect(),
            checks: &self.checks,
            // A publisher that has listened for long.
            listening_since: Some(Timestamp::UNIX_EPOCH),
            last_fleet: self.last_fleet,
        };
        self.steps += 1;
        step(state, &seen, now.timestamp())
    }

    /// Heartbeats are not sent one by one: whoever is there was heard within the last half minute.
    fn beat(&mut self, now: Moment) {
        if now.since(self.beaten) < BEAT {
            return;
        }
        self.beaten = now;
        let heard = now.timestamp();
        for report in self.reports.iter_mut().flatten() {
            report.heard = heard;
        }
    }

    /// When a turn is taken because of something that is heard now.
    pub(crate) fn answers_at(&self, now: Moment) -> Moment {
        now.after(GATHER).max(self.rested)
    }

    /// Whoever writes until `until` takes no turn meanwhile.
    pub(crate) fn writes(&mut self, until: Moment) {
        self.rested = self.rested.max(until);
    }

    /// Takes note that a turn ended that took `took`.
    pub(crate) fn rest(&mut self, ended: Moment, took: Duration) {
        self.rested = ended.after((took * REST_OF_TURN).clamp(BETWEEN_TURNS, BELIEVED_FOR));
    }
}

/// The step of a rollout in words, if anybody is asked anything in it.
pub(crate) fn in_words(state: &Rollout) -> Option<String> {
    match &state.stage {
        Stage::Waiting { .. } => None,
        Stage::Preparing { everyone: false, .. } => Some("prepare, first wave".to_owned()),
        Stage::Preparing { everyone: true, .. } => Some("prepare, everyone".to_owned()),
        Stage::Wave { index, .. } => {
            let share = state.policy.waves.get(*index).map(|wave| wave.share.to_string()).unwrap_or_default();
            Some(format!("wave {} of {}, {share}", index + 1, state.policy.waves.len()))
        }
        Stage::Ended(End::Complete) => None,
        Stage::Ended(_) => Some("back".to_owned()),
    }
}

/// How it ended, in words.
pub(crate) fn end_in_words(state: &Rollout) -> Option<Box<str>> {
    match &state.stage {
        Stage::Ended(End::Complete) => Some("complete".into()),
        Stage::Ended(End::Failed { why }) => Some(format!("rolled back: {why}").into()),
        Stage::Ended(End::Aborted { why }) => Some(format!("aborted: {why}").into()),
        Stage::Ended(End::Superseded { by }) => Some(format!("superseded by {by}").into()),
        _ => None,
    }
}

/// A little less than an agent's heartbeat.
const BEAT: Duration = Duration::from_secs(20);

// The pace of the publisher's driver.
const GATHER: Duration = Duration::from_millis(60);
const BETWEEN_TURNS: Duration = Duration::from_millis(200);
const BELIEVED_FOR: Duration = Duration::from_secs(3);
const REST_OF_TURN: u32 = 4;
