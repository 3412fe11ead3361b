//! Goes through all that can happen, breadth first, each state once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;

use schema::control::What;
use schema::pointer::{Member, Run};
use schema::rollout::{End, Stage};
use schema::{Outcome, Pointer};

use super::super::fixture::{at, commit, target};
use super::super::{command, step, supersede, wanted};
use super::rules;
use super::world::{
    AGENTS, Agent, Arena, BUNDLES, Bounds, HOME, LIAR, Publisher, State, Tip, Word, agent, bundle, home, old_word,
};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) states: usize,
    pub(super) transitions: usize,
    pub(super) records: usize,
    pub(super) completed: bool,
    pub(super) failed: bool,
    pub(super) superseded: bool,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { states, transitions, records, .. } = self;
        write!(f, "{states} states, {transitions} transitions, {records} different records")
    }
}

pub(super) fn explore(bounds: Bounds) -> Found {
    let mut search = Search {
        bounds,
        arena: Arena::default(),
        decided: HashMap::new(),
        aborted: HashMap::new(),
        asked: HashMap::new(),
    };
    let first = search.arena.first();
    let (mut known, mut queue) = (HashSet::from([first.clone()]), VecDeque::from([first]));
    let mut found = Found::default();
    while let Some(state) = queue.pop_front() {
        rules::every_state(&search.arena, &state);
        for next in search.successors(&state) {
            found.transitions += 1;
            rules::every_step(&search.arena, &state, &next);
            let next = next.simplified();
            if known.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    for record in &search.arena.records {
        match &record.stage {
            Stage::Ended(End::Complete) => found.completed = true,
            Stage::Ended(End::Failed { .. }) => found.failed = true,
            Stage::Ended(End::Superseded { .. }) => found.superseded = true,
            _ => {}
        }
    }
    Found { states: known.len(), records: search.arena.records.len(), ..found }
}

/// What a step depends on: it is pure, so that it is taken once.
type Key = (u16, [u16; 2], [Option<Word>; AGENTS], i64, bool);

struct Search {
    bounds: Bounds,
    arena: Arena,
    decided: HashMap<Key, Decided>,
    aborted: HashMap<(u16, [u16; 2], i64), Option<u16>>,
    asked: HashMap<(u16, usize, i64), (u8, bool)>,
}

#[derive(Clone, Copy)]
struct Decided {
    record: Option<u16>,
    point: [bool; 2],
    again_at: Option<i64>,
}

impl Search {
    fn successors(&mut self, state: &State) -> Vec<State> {
        let mut all = Vec::new();
        for number in 0..AGENTS {
            self.agent(state, number, &mut all);
        }
        for number in 0..self.bounds.publishers {
            self.publisher(state, number, &mut all);
        }
        self.people(state, &mut all);
        let again_at = self.decide(state).again_at;
        if let Some(now) = again_at.filter(|at| *at > state.now) {
            all.push(State { now, ..state.clone() }.mishap());
        }
        all.retain(|next| next.mishaps <= self.bounds.mishaps);
        all
    }

    /// It reads its pointer and does what it says, well or badly; what it said arrives, or something old does, or a lie.
    fn agent(&mut self, state: &State, number: usize, all: &mut Vec<State>) {
        let it = state.agents[number];
        let pointer = state.pointers[HOME[number]];
        let with = |agent: Agent| {
            let mut next = state.clone();
            next.agents[number] = agent;
            next
        };
        let key = (pointer, number, state.now);
        let arena = &self.arena;
        let about = || asked(&arena.pointers[usize::from(pointer)], number, state.now);
        let (asked, is_run) = *self.asked.entry(key).or_insert_with(about);
        let (well, badly) =
            if is_run { (Outcome::Applied, Outcome::Failed) } else { (Outcome::Prepared, Outcome::Unprepared) };
        let word = |outcome| Some(Word { about: pointer, asked, outcome });
        if it.said.is_none_or(|word| word.about != pointer) {
            let runs = if is_run { asked } else { it.runs };
            all.push(with(Agent { runs, said: word(well), ..it }));
            if asked != 0 {
                all.push(with(Agent { said: word(badly), ..it }).mishap());
            }
        }
        if it.said != it.heard {
            all.push(with(Agent { heard: it.said, ..it }));
        }
        let old = Some(old_word(HOME[number]));
        if it.heard.is_some() && it.heard != old {
            all.push(with(Agent { heard: old, ..it }).mishap());
        }
        if number == LIAR && it.heard != word(well) {
            all.push(with(Agent { heard: word(well), ..it }).mishap());
        }
    }

    fn publisher(&mut self, state: &State, number: usize, all: &mut Vec<State>) {
        match state.publishers[number] {
            Publisher::Idle => all.extend(self.work(state, number)),
            Publisher::Pointing { record, read, left } => {
                let place = usize::from(!left[0]);
                all.push(self.point(state, number, (record, read, left), place));
                // It dies, and who comes after it has heard nothing yet.
                let mut next = state.clone();
                next.publishers[number] = Publisher::Idle;
                for agent in &mut next.agents {
                    agent.heard = None;
                }
                next.has_listened = false;
                all.push(next.mishap());
            }
        }
    }

    /// It reads everything and decides: what the driver decides first, then the controller.
    fn work(&mut self, state: &State, number: usize) -> Option<State> {
        let record = &self.arena.records[usize::from(state.record)];
        let is_second = record.id != schema::RolloutId::FIRST;
        let is_outdated = state.tip == Tip::Reverted || (state.tip == Tip::Second && !is_second);
        let is_over = record.is_over();
        if !is_over && is_outdated {
            let next = supersede(record, &commit("3"), at(state.now));
            return Some(self.recorded(state, next));
        }
        let decided = self.decide(state);
        let mut next = state.clone();
        if let Some(record) = decided.record {
            next.record = record;
            next.cap = rules::cap(&self.arena, &next);
        }
        if decided.record.is_some() || decided.point != [false; 2] {
            if decided.point != [false; 2] {
                let (record, read) = (next.record, state.pointers);
                next.publishers[number] = Publisher::Pointing { record, read, left: decided.point };
            }
            return Some(next);
        }
        if is_over && is_outdated { self.onward(state) } else { None }
    }

    /// The rollout is over and the branch asks for something else: the second commit begins, or the revert goes to everyone.
    fn onward(&mut self, state: &State) -> Option<State> {
        if state.tip == Tip::Second {
            let start = self.arena.start(schema::RolloutId::FIRST.next(), "newer", state.pointers, state.now)?;
            return Some(self.recorded(state, start));
        }
        let place =
            (0..2).find(|place| self.arena.pointers[usize::from(state.pointers[*place])].stable != target("old"))?;
        let now = &self.arena.pointers[usize::from(state.pointers[place])];
        let pointer = Pointer {
            generation: now.generation.next().expect("numbers are left"),
            stable: target("old"),
            candidate: None,
            commit: commit("4"),
            issued: at(state.now),
            cause: None,
            ..now.clone()
        };
        let mut next = state.clone();
        next.pointers[place] = self.arena.pointer(pointer);
        Some(next)
    }

    fn recorded(&mut self, state: &State, record: schema::Rollout) -> State {
        let mut next = State { record: self.arena.record(record), ..state.clone() };
        next.cap = rules::cap(&self.arena, &next);
        next
    }

    /// It moves one pointer, unless somebody else did since it looked.
    fn point(
        &mut self,
        state: &State,
        number: usize,
        (record, read, mut left): (u16, [u16; 2], [bool; 2]),
        place: usize,
    ) -> State {
        let mut next = state.clone();
        left[place] = false;
        let is_left = left != [false; 2];
        next.publishers[number] = if is_left { Publisher::Pointing { record, read, left } } else { Publisher::Idle };
        if state.pointers[place] == read[place] {
            let wanted = wanted(&self.arena.records[usize::from(record)], &home(place)).expect("told to point");
            let now = &self.arena.pointers[usize::from(read[place])];
            let pointer = Pointer {
                generation: now.generation.next().expect("numbers are left"),
                stable: wanted.stable,
                candidate: wanted.candidate,
                commit: wanted.commit,
                issued: at(state.now),
                cause: Some(wanted.cause),
                ..now.clone()
            };
            next.pointers[place] = self.arena.pointer(pointer);
        }
        next
    }

    /// A merge, a revert, an operator who gives up.
    fn people(&mut self, state: &State, all: &mut Vec<State>) {
        if state.tip == Tip::First {
            all.push(State { tip: Tip::Second, ..state.clone() }.mishap());
            all.push(State { tip: Tip::Reverted, ..state.clone() }.mishap());
        }
        let key = (state.record, state.pointers, state.now);
        let aborted = self.aborted.get(&key).copied().unwrap_or_else(|| {
            let aborted = self.abort(state);
            self.aborted.insert(key, aborted);
            aborted
        });
        if let Some(record) = aborted {
            let mut next = State { record, ..state.clone() };
            next.cap = rules::cap(&self.arena, &next);
            all.push(next.mishap());
        }
    }

    /// Of the first rollout only, or there would be no end to it.
    fn abort(&mut self, state: &State) -> Option<u16> {
        let what = What::Abort { app: "app".parse().expect("an app") };
        let aborted = self.arena.seen(state, |record, seen| {
            let is_first = record.id == schema::RolloutId::FIRST;
            is_first.then(|| command(record, &what, "alice", "", seen, at(state.now)).ok().flatten()).flatten()
        });
        aborted.map(|aborted| self.arena.record(aborted))
    }

    fn decide(&mut self, state: &State) -> Decided {
        let key = (state.record, state.pointers, state.agents.map(|agent| agent.heard), state.now, state.has_listened);
        if let Some(decided) = self.decided.get(&key) {
            return *decided;
        }
        let next = self.arena.seen(state, |record, seen| step(record, seen, at(state.now)));
        let decided = Decided {
            point: [home(0), home(1)].map(|region| next.point.contains(&region)),
            again_at: next.again_at.map(|again| (again.unix_millis() - at(0).unix_millis()) / 1000),
            record: next.state.map(|record| self.arena.record(record)),
        };
        self.decided.insert(key, decided);
        decided
    }
}

/// What a pointer asks of an agent, and whether it is to run it.
fn asked(pointer: &Pointer, number: usize, now: i64) -> (u8, bool) {
    let (agent, labels) = (agent(number), Default::default());
    let assignment = pointer.assignment(Member { agent: &agent, labels: &labels }, at(now));
    match (assignment.run, assignment.ready) {
        (_, Some(ready)) => (bundle(&ready), false),
        (Run::Stable(target) | Run::Candidate { target, .. }, None) => (bundle(&target), true),
        (Run::Stay, None) => unreachable!("nothing is frozen in the model, of {BUNDLES:?}"),
    }
}
