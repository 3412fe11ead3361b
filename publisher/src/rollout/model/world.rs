//! The state of the model, small enough to be kept by the hundred thousand, and what can happen in it.

use std::collections::BTreeMap;

use schema::fleet::AgentReport;
use schema::pointer::{Cause, Member, Target};
use schema::rollout::{Budget, Policy, Prepare, Rollout, RolloutId};
use schema::{AgentId, Outcome, Pointer, Region};

use super::super::fixture::{at, commit, percent, pointer, policy, region, seconds, target, wave, word};
use super::super::{Departure, Observed, RegionView, Start, begin};

pub(super) const AGENTS: usize = 3;
/// Two in the first region, one in the second.
pub(super) const HOME: [usize; AGENTS] = [0, 0, 1];
pub(super) const FLEET: [u64; 2] = [2, 1];
/// The one that may lie.
pub(super) const LIAR: usize = 1;

/// How far the search goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) publishers: usize,
    /// How many things may go wrong, or come between, in one history. Words that do not arrive are not counted.
    pub(super) mishaps: u8,
}

/// One moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// The newest record, by its place in [`Arena::records`].
    pub(super) record: u16,
    /// The pointers of the regions, by their places in [`Arena::pointers`].
    pub(super) pointers: [u16; 2],
    pub(super) agents: [Agent; AGENTS],
    pub(super) publishers: [Publisher; 2],
    pub(super) tip: Tip,
    /// Seconds since the beginning.
    pub(super) now: i64,
    /// What went wrong, or came between, so far.
    pub(super) mishaps: u8,
    /// Whether the publishers have listened for long; not after one of them began anew.
    pub(super) has_listened: bool,
    /// How many agents may run each of the two new bundles in each region, by all records so far.
    pub(super) cap: [[u64; 2]; 2],
}

/// What the branch asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tip {
    First,
    Second,
    Reverted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Agent {
    /// What it runs, by its place in [`BUNDLES`].
    pub(super) runs: u8,
    /// Its newest word, and the one that the publisher goes by.
    pub(super) said: Option<Word>,
    pub(super) heard: Option<Word>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Word {
    pub(super) about: u16,
    pub(super) asked: u8,
    pub(super) outcome: Outcome,
}

/// What a publisher remembers: nothing, or what it was about to point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Publisher {
    Idle,
    /// It read these pointers and goes by that record; both regions may be left to do.
    Pointing {
        record: u16,
        read: [u16; 2],
        left: [bool; 2],
    },
}

/// Everything that was ever recorded or pointed, each once.
#[derive(Default)]
pub(super) struct Arena {
    pub(super) records: Vec<Rollout>,
    pub(super) pointers: Vec<Pointer>,
}

pub(super) const BUNDLES: [&str; 3] = ["old", "new", "newer"];

pub(super) fn bundle(target_of: &Target) -> u8 {
    let place = BUNDLES.iter().position(|name| target(name) == *target_of).expect("one of the three");
    u8::try_from(place).expect("there are three")
}

pub(super) fn home(place: usize) -> Region {
    region(["eu", "us"][place])
}

pub(super) fn agent(number: usize) -> AgentId {
    format!("agent-{number}").parse().expect("an agent")
}

fn rules() -> Policy {
    let mut policy = policy(vec![wave(&["eu"], 50, 10), wave(&[], 100, 0)]);
    let gate = policy.gate.as_mut().expect("it has a gate");
    (gate.applied, gate.failed_at_most) = (percent(100), Budget { percent: percent(0), number: 0 });
    gate.within = seconds(60);
    policy.live_within = seconds(86_400);
    policy
}

impl State {
    /// One more thing went wrong.
    pub(super) fn mishap(self) -> State {
        State { mishaps: self.mishaps + 1, ..self }
    }

    /// Words about a pointer that is no longer there say the same to everyone: that somebody lives. So they are all one word.
    pub(super) fn simplified(mut self) -> State {
        for (number, agent) in self.agents.iter_mut().enumerate() {
            let place = HOME[number];
            for word in [&mut agent.said, &mut agent.heard].into_iter().flatten() {
                if word.about != self.pointers[place] {
                    *word = old_word(place);
                }
            }
        }
        self
    }
}

/// What was said before the rollout began; the first two pointers are those that were there then.
pub(super) fn old_word(place: usize) -> Word {
    Word { about: u16::from(place == 1), asked: 0, outcome: Outcome::Applied }
}

impl Arena {
    pub(super) fn record(&mut self, mut record: Rollout) -> u16 {
        // Reasons are for people; states that differ in nothing else are the same.
        record.cause = Cause::own(record.cause.deed, "");
        intern(&mut self.records, record)
    }

    pub(super) fn pointer(&mut self, mut pointer: Pointer) -> u16 {
        pointer.cause = pointer.cause.map(|cause| Cause::own(cause.deed, ""));
        intern(&mut self.pointers, pointer)
    }

    /// Everybody runs the old bundle, and the first commit is about to be rolled out.
    pub(super) fn first(&mut self) -> State {
        let pointers = [0, 1].map(|place| self.pointer(pointer(&home(place))));
        let start = self.start(RolloutId::FIRST, "new", pointers, 0).expect("both regions run the old bundle");
        let agent = |number: usize| {
            let word = Word { about: pointers[HOME[number]], asked: 0, outcome: Outcome::Applied };
            Agent { runs: 0, said: Some(word), heard: Some(word) }
        };
        State {
            record: self.record(start),
            pointers,
            agents: [0, 1, 2].map(agent),
            publishers: [Publisher::Idle; 2],
            tip: Tip::First,
            now: 0,
            mishaps: 0,
            has_listened: true,
            cap: [[0; 2]; 2],
        }
    }

    /// A rollout to `to` wherever something else is stable.
    pub(super) fn start(&self, id: RolloutId, to: &str, pointers: [u16; 2], now: i64) -> Option<Rollout> {
        let departures = pointers.iter().enumerate().filter_map(|(place, pointer)| {
            let pointer = &self.pointers[usize::from(*pointer)];
            let (from, from_commit) = (pointer.stable, pointer.commit.clone());
            let departure = Departure { from, from_commit, to: target(to), based_on: pointer.order() };
            (from != target(to)).then(|| (home(place), departure))
        });
        let regions: BTreeMap<Region, Departure> = departures.collect();
        if regions.is_empty() {
            return None;
        }
        let commit = commit(if to == "new" { "2" } else { "3" });
        let app = "app".parse().expect("an app");
        let mut policy = rules();
        if id != RolloutId::FIRST {
            // The second one has fewer steps, or there would be no end to it.
            policy.prepare = Prepare::No;
        }
        Some(begin(Start { app, id, commit, policy, regions, seed: 1, now: at(now) }))
    }

    /// Shows `state` to the controller as a publisher sees it.
    pub(super) fn seen<T>(&self, state: &State, use_it: impl FnOnce(&Rollout, &Observed<'_>) -> T) -> T {
        let record = &self.records[usize::from(state.record)];
        let regions = [home(0), home(1)];
        let reports: Vec<Vec<AgentReport>> = (0..2).map(|place| self.reports(state, place)).collect();
        let views = regions.iter().enumerate().map(|(place, region)| {
            let pointer = &self.pointers[usize::from(state.pointers[place])];
            (region, RegionView { pointer, reports: &reports[place] })
        });
        let checks = BTreeMap::new();
        let seen = Observed {
            regions: views.collect(),
            checks: &checks,
            listening_since: Some(if state.has_listened { at(-1_000_000) } else { at(state.now) }),
            last_fleet: 3,
        };
        use_it(record, &seen)
    }

    fn reports(&self, state: &State, place: usize) -> Vec<AgentReport> {
        let here = (0..AGENTS).filter(|number| HOME[*number] == place);
        here.filter_map(|number| {
            let heard = state.agents[number].heard?;
            let about = &self.pointers[usize::from(heard.about)];
            let asked = target(BUNDLES[usize::from(heard.asked)]).digest;
            Some(word(&agent(number), about, asked, heard.outcome, at(0)))
        })
        .collect()
    }

    /// Whether the candidate of a pointer means an agent.
    pub(super) fn selects(&self, pointer: u16, number: usize) -> bool {
        let candidate = self.pointers[usize::from(pointer)].candidate.as_ref();
        candidate.is_some_and(|it| it.selects(Member { agent: &agent(number), labels: &BTreeMap::new() }))
    }
}

fn intern<T: PartialEq>(all: &mut Vec<T>, one: T) -> u16 {
    // The newest are the likeliest.
    let place = all.iter().rposition(|known| *known == one).unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    });
    u16::try_from(place).expect("the model is small")
}
