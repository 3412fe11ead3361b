//! Goes a step further: who is asked next, and how many those are.

use std::collections::BTreeMap;

use schema::fleet::AgentReport;
use schema::pointer::{Cause, Deed, FULL_SHARE, Slice};
use schema::rollout::{End, Place, Prepare, Rollout, Share, Stage};
use schema::{Region, Timestamp};

use super::census::{alive, count, live};
use super::observed::Observed;
use super::record::{after, rebase};
use super::salt::{self, Lot, Standing};
use super::wanted::wanted;
use super::waves;

/// Counts the fleet, draws lots and asks the first agents.
pub(super) fn launch(state: &Rollout, seen: &Observed<'_>, cause: Cause, now: Timestamp) -> Rollout {
    let mut next = Rollout { paused: None, ..after(state, now, cause) };
    let views = next.regions.keys().filter_map(|region| Some((region, *seen.regions.get(region)?)));
    let lots = views.map(|(region, view)| {
        let alive = alive(view, state.policy.live_within.0, now).into_iter();
        let lot = |report: &'_ AgentReport| match view.pointer.quarantine.contains(&report.agent) {
            true => Standing::Held,
            false => Standing::Counts,
        };
        (region, alive.map(|report| Lot { member: report.member(), standing: lot(report) }).collect())
    });
    let lots: BTreeMap<&Region, Vec<Lot<'_>>> = lots.collect();
    let mut drawn = salt::draw(&state.salt, &state.policy, &lots);
    let fleet = |region: &Region| lots.get(region).map_or(0, |lots| lots.iter().filter(|lot| lot.counts()).count());
    let fleets: Vec<u64> = next.regions.keys().map(|region| count(fleet(region))).collect();
    for ((region, leg), fleet) in next.regions.iter_mut().zip(fleets) {
        leg.fleet = fleet;
        leg.shares = drawn.shares.remove(region).unwrap_or_default();
    }
    next.salt = drawn.salt;
    if state.policy.prepare == Prepare::Yes && state.policy.gate.is_some() {
        let everyone = first_wave_is_everyone(&next);
        prepare(&mut next, seen, everyone, now);
    } else {
        first_wave(&mut next, seen, now);
    }
    next
}

fn first_wave_is_everyone(state: &Rollout) -> bool {
    waves::first_from(state, 0).is_some_and(|first| {
        let wave = &state.policy.waves[first];
        let is_full = wave.share >= Share::FULL && wave.when.labels.is_empty();
        is_full && state.regions.keys().all(|region| wave.regions.contains(region))
    })
}

/// Everybody, or those of the first wave, get it ready.
fn prepare(next: &mut Rollout, seen: &Observed<'_>, everyone: bool, now: Timestamp) {
    let first = waves::first_from(next, 0);
    next.stage = Stage::Preparing { everyone, since: now };
    let policy = next.policy.clone();
    let is_first = |region: &Region| first.is_some_and(|first| policy.waves[first].regions.contains(region));
    ask(next, seen, |region| everyone || is_first(region), None, now);
}

/// The first wave, or the plan, if nobody is asked and time alone counts.
fn first_wave(next: &mut Rollout, seen: &Observed<'_>, now: Timestamp) {
    let Some(first) = waves::first_from(next, 0) else { return complete(next) };
    if next.policy.gate.is_some() {
        return wave(next, seen, first, now);
    }
    next.stage = Stage::Wave { index: first, since: now };
    ask(next, seen, |_| true, Some(now), now);
}

fn wave(next: &mut Rollout, seen: &Observed<'_>, index: usize, now: Timestamp) {
    next.stage = Stage::Wave { index, since: now };
    for leg in next.regions.values_mut() {
        if let Place::Candidate { begun: Some(_), confirmed, met, .. } = &mut leg.place {
            // Its gate passed, or somebody let it pass: no agent has to fear any more that nobody confirms it.
            *confirmed |= next.policy.confirm_within.is_some();
            *met = None;
        }
    }
    let regions = next.policy.waves[index].regions.clone();
    ask(next, seen, |region| regions.contains(region), Some(now), now);
}

/// Points the candidate, or more of it, in those regions, and counts whom that means.
fn ask(
    next: &mut Rollout,
    seen: &Observed<'_>,
    mut is_asked: impl FnMut(&Region) -> bool,
    begun: Option<Timestamp>,
    now: Timestamp,
) {
    let is_open = |place: &Place| matches!(place, Place::Untouched | Place::Candidate { .. });
    let mut asked = Vec::new();
    for (region, leg) in &mut next.regions {
        if is_open(&leg.place) && is_asked(region) {
            let before = expected_before(&leg.place);
            leg.place = Place::Candidate { expected: 0, begun, confirmed: false, met: None };
            rebase(leg, seen, region);
            asked.push((region.clone(), before));
        }
    }
    for (region, before) in asked {
        let (meant, everyone) = meant(next, seen, &region, now);
        let Some(leg) = next.regions.get_mut(&region) else { continue };
        let fleet = if everyone { leg.fleet } else { 0 };
        if let Place::Candidate { expected, .. } = &mut leg.place {
            *expected = meant.max(before).max(fleet);
        }
    }
}

/// Who was meant by an earlier wave is meant by the next one, too, and if it fell silent since, that is what must be noticed.
fn expected_before(place: &Place) -> u64 {
    match place {
        Place::Candidate { expected, begun: Some(_), .. } => *expected,
        _ => 0,
    }
}

/// How many agents that are alive the candidate of `region` means, and whether it means everyone.
fn meant(state: &Rollout, seen: &Observed<'_>, region: &Region, now: Timestamp) -> (u64, bool) {
    let candidate = wanted(state, region).and_then(|wanted| wanted.candidate);
    let Some((candidate, view)) = candidate.zip(seen.regions.get(region)) else { return (0, false) };
    let live = live(*view, state.policy.live_within.0, now);
    let meant = count(live.iter().filter(|report| candidate.selects(report.member())).count());
    let is_everyone = |slice: &Slice| slice.share >= FULL_SHARE && slice.when.labels.is_empty();
    (meant, candidate.slices().any(is_everyone))
}

/// What follows a step that everyone who was asked took.
pub(super) fn advance(next: &mut Rollout, seen: &Observed<'_>, now: Timestamp) {
    match next.stage {
        Stage::Waiting { .. } | Stage::Ended(_) => {}
        Stage::Preparing { everyone: false, .. } => prepare(next, seen, true, now),
        Stage::Preparing { everyone: true, .. } => first_wave(next, seen, now),
        Stage::Wave { index, .. } => {
            settle(next, seen, index, |_| true);
            match waves::first_from(next, index + 1) {
                Some(index) => wave(next, seen, index, now),
                None => complete(next),
            }
        }
    }
}

/// Makes it stable in those regions of wave `index` that no later wave reaches.
pub(super) fn settle(
    next: &mut Rollout,
    seen: &Observed<'_>,
    index: usize,
    mut has_passed: impl FnMut(&Region) -> bool,
) {
    for (region, leg) in &mut next.regions {
        let is_in = next.policy.waves[index].regions.contains(region);
        let is_last = is_in && waves::is_last(&next.policy, region, index);
        if is_last && matches!(leg.place, Place::Candidate { .. }) && has_passed(region) {
            leg.place = Place::Stable;
            rebase(leg, seen, region);
        }
    }
}

/// It is stable everywhere.
pub(super) fn complete(next: &mut Rollout) {
    next.stage = Stage::Ended(End::Complete);
    next.cause = Cause::new(&next.cause.who, Deed::Complete, &next.cause.why);
}
