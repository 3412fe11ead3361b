//! A small world for the tests of the controller: regions, agents that answer, and a publisher that does what it is told.

use std::collections::BTreeMap;
use std::time::Duration;

use schema::fleet::AgentReport;
use schema::pointer::{Cause, Run, Selector, Target};
use schema::rollout::{
    Budget, Gate, Newer, OnFailure, Policy, Prepare, QuarantineRule, RegionSet, Reverts, Rollout, RolloutId, Share,
    Stage, Wave,
};
use schema::time::Length;
use schema::{AgentId, CommitId, Digest, Generation, Order, Outcome, Pointer, Region, Serial, Timestamp};

use super::{CheckVerdict, Departure, Observed, RegionView, Start, Step, begin, step, wanted};

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_800_000_000_000 + seconds * 1000)
}

pub(super) fn region(name: &str) -> Region {
    name.parse().expect("a region")
}

pub(super) fn target(name: &str) -> Target {
    Target { digest: Digest::of(name.as_bytes()), manifest: Digest::of(format!("manifest of {name}").as_bytes()) }
}

pub(super) fn commit(digit: &str) -> CommitId {
    digit.repeat(40).parse().expect("a commit")
}

pub(super) fn percent(percent: u16) -> Share {
    Share(percent * 100)
}

pub(super) fn seconds(seconds: u64) -> Length {
    Length(Duration::from_secs(seconds))
}

pub(super) fn wave(regions: &[&str], share: u16, soak: u64) -> Wave {
    let named = regions.iter().map(|name| region(name)).collect();
    let regions = if regions.is_empty() { RegionSet::All } else { RegionSet::Named(named) };
    Wave { regions, share: percent(share), when: Selector::default(), soak: seconds(soak) }
}

/// Prepares, asks for 99 %, lets 1 % or three fail, gives ten minutes.
pub(super) fn policy(waves: Vec<Wave>) -> Policy {
    Policy {
        name: "test".into(),
        prepare: Prepare::Yes,
        waves,
        gate: Some(Gate {
            applied: percent(99),
            failed_at_most: Budget { percent: percent(1), number: 3 },
            within: seconds(600),
            checks: Vec::new(),
        }),
        on_failure: OnFailure::Rollback,
        windows: Vec::new(),
        freezes: Vec::new(),
        spread: seconds(0),
        confirm_within: None,
        quarantine: QuarantineRule { after: 3, at_most: Budget { percent: percent(5), number: 2 } },
        reverts: Reverts::AtOnce,
        newer: Newer::Supersede,
        live_within: seconds(90),
    }
}

/// 5 %, 25 %, everyone, without soak.
pub(super) fn three_waves() -> Policy {
    policy(vec![wave(&[], 5, 0), wave(&[], 25, 0), wave(&[], 100, 0)])
}

/// A rollout from bundle `old` to bundle `new`, its regions and its agents.
pub(super) struct World {
    pub(super) rollout: Rollout,
    pub(super) pointers: BTreeMap<Region, Pointer>,
    pub(super) agents: BTreeMap<Region, Vec<AgentId>>,
    pub(super) reports: BTreeMap<Region, Vec<AgentReport>>,
    pub(super) checks: BTreeMap<Box<str>, CheckVerdict>,
    pub(super) now: Timestamp,
    pub(super) listening_since: Option<Timestamp>,
    pub(super) last_fleet: u64,
}

impl World {
    /// The publisher has listened for a day, and every agent runs `old`.
    pub(super) fn new(policy: Policy, regions: &[(&str, usize)]) -> World {
        let agent = |name: &str, number| format!("{name}-{number:04}").parse().expect("an agent");
        let agents: BTreeMap<Region, Vec<AgentId>> = regions
            .iter()
            .map(|(name, n)| (region(name), (0..*n).map(|number| agent(name, number)).collect()))
            .collect();
        let pointers: BTreeMap<Region, Pointer> =
            regions.iter().map(|(name, _)| (region(name), pointer(&region(name)))).collect();
        let legs = pointers.iter().map(|(region, pointer)| {
            let (from, from_commit) = (pointer.stable, pointer.commit.clone());
            (region.clone(), Departure { from, from_commit, to: target("new"), based_on: pointer.order() })
        });
        let rollout = begin(Start {
            app: "app".parse().expect("an app"),
            id: RolloutId::FIRST,
            commit: commit("2"),
            policy,
            regions: legs.collect(),
            seed: 7,
            now: at(0),
        });
        let mut world = World {
            rollout,
            pointers,
            agents,
            reports: BTreeMap::new(),
            checks: BTreeMap::new(),
            now: at(0),
            listening_since: Some(at(-86_400)),
            last_fleet: 0,
        };
        world.everyone(|_, _| true);
        world
    }

    pub(super) fn seen(&self) -> Observed<'_> {
        let view = |(region, pointer)| {
            (region, RegionView { pointer, reports: self.reports.get(region).map_or(&[][..], Vec::as_slice) })
        };
        Observed {
            regions: self.pointers.iter().map(view).collect(),
            checks: &self.checks,
            listening_since: self.listening_since,
            last_fleet: self.last_fleet,
        }
    }

    pub(super) fn step(&self) -> Step {
        step(&self.rollout, &self.seen(), self.now)
    }

    /// Does what the controller says until it only waits.
    pub(super) fn settle(&mut self) -> Step {
        for _ in 0..20 {
            let next = self.step();
            if next.state.is_none() && next.point.is_empty() {
                return next;
            }
            if let Some(state) = next.state {
                assert_eq!(state.n, self.rollout.n + 1);
                self.rollout = state;
            }
            for region in next.point {
                self.point(&region);
            }
        }
        panic!("it does not come to rest: {:?}", self.rollout);
    }

    pub(super) fn point(&mut self, region: &Region) {
        let wanted = wanted(&self.rollout, region).expect("who is to be pointed is told where");
        let (stable, candidate, commit) = (wanted.stable, wanted.candidate, wanted.commit);
        self.generation(region, |pointer| {
            (pointer.stable, pointer.candidate, pointer.commit) = (stable, candidate, commit);
            pointer.cause = Some(wanted.cause);
        });
    }

    /// A new generation of a region, whoever made it.
    pub(super) fn generation(&mut self, region: &Region, change: impl FnOnce(&mut Pointer)) {
        let now = self.now;
        let pointer = self.pointers.get_mut(region).expect("a region of this world");
        pointer.generation = pointer.generation.next().expect("numbers are left");
        pointer.issued = now;
        pointer.cause = None;
        change(pointer);
    }

    /// Every agent does what its pointer asks, and says yes or no to it.
    pub(super) fn everyone(&mut self, mut is_well: impl FnMut(&AgentId, &Digest) -> bool) {
        for region in self.agents.keys().cloned().collect::<Vec<_>>() {
            self.answer(&region, |agent, asked| Some(is_well(agent, asked)));
        }
    }

    /// The agents of a region do; who gives no answer keeps the last one it gave.
    pub(super) fn answer(&mut self, region: &Region, mut answer: impl FnMut(&AgentId, &Digest) -> Option<bool>) {
        let pointer = self.pointers[region].clone();
        for agent in &self.agents[region] {
            let labels = BTreeMap::new();
            let assignment = pointer.assignment(schema::pointer::Member { agent, labels: &labels }, self.now);
            let (asked, is_run) = match (assignment.run, assignment.ready) {
                (_, Some(ready)) => (ready.digest, false),
                (Run::Stay, None) => continue,
                (run, None) => (run.target().expect("it is not told to stay").digest, true),
            };
            let Some(is_well) = answer(agent, &asked) else { continue };
            let outcome = match (is_run, is_well) {
                (true, true) => Outcome::Applied,
                (true, false) => Outcome::Failed,
                (false, true) => Outcome::Prepared,
                (false, false) => Outcome::Unprepared,
            };
            let report = word(agent, &pointer, asked, outcome, self.now);
            let reports = self.reports.entry(region.clone()).or_default();
            reports.retain(|report| report.agent != *agent);
            reports.push(report);
        }
    }

    /// Time passes; agents say their last word again.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        for report in self.reports.values_mut().flatten() {
            report.heard = self.now;
        }
    }

    /// How many agents of a region are told to run `new`, right now.
    pub(super) fn on_candidate(&self, name: &str) -> usize {
        let (region, labels) = (region(name), BTreeMap::new());
        let pointer = &self.pointers[&region];
        let runs = |agent: &&AgentId| {
            let run = pointer.assignment(schema::pointer::Member { agent, labels: &labels }, self.now).run;
            matches!(run, Run::Candidate { .. })
        };
        self.agents[&region].iter().filter(runs).count()
    }

    /// Whether everyone in a region is told to run `new`.
    pub(super) fn is_stable(&self, name: &str) -> bool {
        let pointer = &self.pointers[&region(name)];
        pointer.stable == target("new") && pointer.candidate.is_none()
    }

    /// The wave that is under way, counting from zero.
    pub(super) fn wave(&self) -> Option<usize> {
        if let Stage::Wave { index, .. } = self.rollout.stage { Some(index) } else { None }
    }
}

pub(super) fn word(agent: &AgentId, pointer: &Pointer, asked: Digest, outcome: Outcome, now: Timestamp) -> AgentReport {
    AgentReport {
        agent: agent.clone(),
        labels: BTreeMap::new(),
        heard: now,
        epoch: pointer.epoch,
        generation: pointer.generation,
        attempted: asked,
        outcome,
        step: None,
        reason: None,
        at: now,
        active: None,
        failures: 0,
    }
}

pub(super) fn pointer(region: &Region) -> Pointer {
    let order = Order { generation: Generation::new(41), serial: Serial::FIRST, ..Order::FIRST };
    Pointer {
        app: "app".parse().expect("an app"),
        region: region.clone(),
        epoch: order.epoch,
        generation: order.generation,
        serial: order.serial,
        issued: at(-100),
        expires: at(86_400),
        prev: None,
        trace: None,
        commit: commit("1"),
        stable: target("old"),
        candidate: None,
        quarantine: Vec::new(),
        freeze: false,
        withdrawn: Vec::new(),
        cause: None::<Cause>,
    }
}
