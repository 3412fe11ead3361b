//! What must hold in every state, and at every step from one to the next.

use schema::Outcome;
use schema::pointer::Phase;
use schema::rollout::{Place, Rollout, Share, Stage};

use super::super::fixture::at;
use super::super::step;
use super::world::{AGENTS, Arena, FLEET, HOME, LIAR, Publisher, State, bundle, home};

/// How many agents may run each of the new bundles in each region once the newest record of `state` counts, by the policy's
/// own numbers: never fewer than before, for who has it may be slow to give it back.
pub(super) fn cap(arena: &Arena, state: &State) -> [[u64; 2]; 2] {
    let record = &arena.records[usize::from(state.record)];
    let mut cap = state.cap;
    for place in 0..2 {
        let Some(leg) = record.regions.get(&home(place)) else { continue };
        let share = match (&leg.place, &record.stage) {
            (Place::Stable, _) => Share::FULL,
            (Place::Candidate { .. }, Stage::Wave { index, .. }) => {
                let waves = record.policy.waves.iter().take(index + 1);
                let here = waves.filter(|wave| wave.regions.contains(&home(place)));
                here.map(|wave| wave.share).max().unwrap_or(Share(0))
            }
            _ => Share(0),
        };
        let allowed = &mut cap[usize::from(bundle(&leg.to)) - 1][place];
        *allowed = share.of_rounded_up(FLEET[place]).max(*allowed);
    }
    cap
}

pub(super) fn every_state(arena: &Arena, state: &State) {
    blast(state);
    nothing_is_left_behind(arena, state);
}

/// BLAST: no more agents on a candidate than the wave allows.
fn blast(state: &State) {
    for place in 0..2 {
        for new in 1..=2u8 {
            let here = (0..AGENTS).filter(|number| HOME[*number] == place && state.agents[*number].runs == new);
            let (runs, cap) = (here.count() as u64, state.cap[usize::from(new) - 1][place]);
            assert!(runs <= cap, "BLAST: {runs} agents run bundle {new} in region {place}, {cap} may: {state:?}");
        }
    }
}

/// A rollout that is over, and has nothing more to point, left no candidate.
fn nothing_is_left_behind(arena: &Arena, state: &State) {
    let record = &arena.records[usize::from(state.record)];
    if !record.is_over() || state.publishers != [Publisher::Idle; 2] {
        return;
    }
    let candidates = state.pointers.iter().filter(|it| arena.pointers[usize::from(**it)].candidate.is_some()).count();
    if candidates == 0 {
        return;
    }
    let is_done = arena.seen(state, |record, seen| step(record, seen, at(state.now)).point.is_empty());
    assert!(!is_done, "a candidate is left behind: {state:?}");
}

pub(super) fn every_step(arena: &Arena, before: &State, after: &State) {
    generations_grow(arena, before, after);
    waves_grow(arena, before, after);
    nothing_comes_after_the_end(arena, before, after);
    if before.record != after.record {
        no_pass_without_a_yes(arena, before, after);
    }
}

/// MONO: pointers only go to higher generations, one at a time.
fn generations_grow(arena: &Arena, before: &State, after: &State) {
    let generation = |pointer: u16| arena.pointers[usize::from(pointer)].generation.number();
    for place in 0..2 {
        let (old, new) = (before.pointers[place], after.pointers[place]);
        assert!(old == new || generation(new) == generation(old) + 1, "MONO: {before:?} to {after:?}");
    }
}

/// While one rollout goes on, whoever was meant stays meant.
fn waves_grow(arena: &Arena, before: &State, after: &State) {
    for (number, place) in HOME.into_iter().enumerate() {
        let (old, new) = (before.pointers[place], after.pointers[place]);
        if old == new {
            continue;
        }
        let active = |pointer: u16| {
            let candidate = arena.pointers[usize::from(pointer)].candidate.as_ref();
            candidate.filter(|it| it.phase == Phase::Activate).map(|it| (it.salt.clone(), it.target))
        };
        let is_same = active(old).is_some() && active(old) == active(new);
        let leaves = is_same && arena.selects(old, number) && !arena.selects(new, number);
        assert!(!leaves, "a later wave leaves agent {number} out: {before:?} to {after:?}");
    }
}

/// Once the end of a rollout is pointed in a region, nobody there switches to its bundle any more, unless it is stable.
fn nothing_comes_after_the_end(arena: &Arena, before: &State, after: &State) {
    let record = &arena.records[usize::from(before.record)];
    for (number, place) in HOME.into_iter().enumerate() {
        let (old, new) = (before.agents[number], after.agents[number]);
        if old.runs == new.runs || new.runs == 0 || !record.is_over() {
            continue;
        }
        let Some(said) = new.said else { continue };
        let pointer = &arena.pointers[usize::from(said.about)];
        let is_back = record.regions.get(&home(place)).is_some_and(|leg| {
            !matches!(leg.place, Place::Stable) && bundle(&leg.to) == new.runs && pointer.candidate.is_none()
        });
        assert!(!is_back, "agent {number} switched after the end was pointed: {before:?} to {after:?}");
    }
}

/// A rollout goes a step further only on the word of every agent that is meant, about the very pointer that is there.
fn no_pass_without_a_yes(arena: &Arena, before: &State, after: &State) {
    let (old, new) = (&arena.records[usize::from(before.record)], &arena.records[usize::from(after.record)]);
    if old.id != new.id {
        return;
    }
    for place in 0..2 {
        if let Some(outcome) = passes(old, new, place) {
            let pointer = before.pointers[place];
            let meant: Vec<usize> =
                (0..AGENTS).filter(|number| HOME[*number] == place && arena.selects(pointer, *number)).collect();
            assert!(!meant.is_empty(), "nobody was asked in region {place}: {before:?} to {after:?}");
            for number in meant {
                let agent = before.agents[number];
                let said_yes = agent.heard.is_some_and(|word| (word.about, word.outcome) == (pointer, outcome));
                assert!(said_yes, "agent {number} said no yes: {before:?} to {after:?}");
                let did = agent.said.is_some_and(|word| (word.about, word.outcome) == (pointer, outcome));
                assert!(did || number == LIAR, "agent {number} did nothing: {before:?} to {after:?}");
            }
        }
    }
    if let (Stage::Wave { index: 0, .. }, Stage::Wave { index: 1, .. }) = (&old.stage, &new.stage) {
        let soaked = old.regions.values().all(|leg| match leg.place {
            Place::Candidate { met: Some(met), .. } => {
                after.now * 1000 >= met.unix_millis() - at(0).unix_millis() + 10_000
            }
            Place::Candidate { begun, .. } => begun.is_none(),
            _ => true,
        });
        assert!(soaked, "the first wave did not soak: {before:?} to {after:?}");
    }
}

/// What agents of a region must have said for what became of it from one record to the next.
fn passes(old: &Rollout, new: &Rollout, place: usize) -> Option<Outcome> {
    let (was, is) = (&old.regions.get(&home(place))?.place, &new.regions.get(&home(place))?.place);
    let asked = matches!(was, Place::Candidate { .. });
    match (&old.stage, &new.stage) {
        _ if !asked => None,
        (Stage::Preparing { everyone: false, .. }, Stage::Preparing { everyone: true, .. })
        | (Stage::Preparing { .. }, Stage::Wave { .. }) => Some(Outcome::Prepared),
        (Stage::Wave { index: old, .. }, Stage::Wave { index: new, .. }) if old != new => {
            matches!(was, Place::Candidate { begun: Some(_), .. }).then_some(Outcome::Applied)
        }
        _ => (matches!(is, Place::Stable)).then_some(Outcome::Applied),
    }
}
