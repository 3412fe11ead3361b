//! Decides what happens next in a rollout.
//!
//! In: the newest record, what is seen, the time. Out: a [`Step`]. Nothing is remembered between two calls but the record, so
//! a crash between any two actions changes nothing: the next call finds what is missing.

use std::collections::BTreeSet;

use schema::rollout::{Rollout, Stage};
use schema::{Region, Timestamp};

use super::look::Look;
use super::observed::Observed;
use super::record::failed;
use super::wave::Wave;
use super::{hand, hold, preparing, quarantined, timed, waiting};

/// What to do now, in this order: record, then point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The next record. Whoever loses the race for its number reads what won instead.
    pub state: Option<Rollout>,
    /// Regions whose pointers lag behind what the newest record (that one, if there is one) means, see [`wanted`](super::wanted()).
    pub point: Vec<Region>,
    /// Checks whose verdict is needed.
    pub ask: BTreeSet<Box<str>>,
    /// What is waited for, in one line for people.
    pub waits_for: Option<String>,
    /// When to look again though nothing was heard.
    pub again_at: Option<Timestamp>,
}

impl Step {
    /// Records `next` and gives its regions what it means.
    pub(super) fn record(next: Rollout, seen: &Observed<'_>) -> Step {
        Step { point: hand::lagging(&next, seen), state: Some(next), ..Step::default() }
    }
}

/// What happens next, going by the newest record of the app's newest rollout. Safe to call at any time, any number of times;
/// after a crash as well.
///
/// Read the pointers first and the newest record after them: then no pointer says more than the record means, and what differs
/// is what lags, or another hand's doing.
pub fn step(state: &Rollout, seen: &Observed<'_>, now: Timestamp) -> Step {
    if state.is_over() {
        return Step { point: hand::lagging(state, seen), ..Step::default() };
    }
    if let Some(next) = hand::taken(state, seen, now) {
        return Step::record(next, seen);
    }
    let point = hand::lagging(state, seen);
    if let Some(region) = state.regions.keys().find(|region| !seen.regions.contains_key(region)) {
        let waits_for = Some(format!("the pointer of region {region} is not known"));
        return Step { point, waits_for, ..Step::default() };
    }
    match &state.stage {
        Stage::Waiting { .. } => match &state.paused {
            Some(held) => Step { waits_for: Some(paused_by(held)), ..Step::default() },
            None => waiting::step(state, seen, now),
        },
        _ => under_way(state, seen, point, now),
    }
}

/// Something is pointed: what is under way goes on, stands still, or fails.
fn under_way(state: &Rollout, seen: &Observed<'_>, point: Vec<Region>, now: Timestamp) -> Step {
    if let Some(held) = state.paused.as_ref().filter(|held| hold::is_by_hand(held)) {
        return Step { point, waits_for: Some(paused_by(held)), ..Step::default() };
    }
    // Neither a freeze nor a closed window keeps a region on what is bad.
    if let Some(why) = failing(state, seen, now) {
        return Step::record(failed(state, seen, &why, now), seen);
    }
    match (hold::obstacle(state, seen, now), &state.paused) {
        (Some(obstacle), None) => Step::record(hold::hold(state, &obstacle, now), seen),
        (Some(obstacle), Some(_)) => {
            Step { point, waits_for: Some(obstacle.in_words()), again_at: obstacle.until, ..Step::default() }
        }
        (None, Some(_)) => Step::record(hold::lift(state, now), seen),
        // A gate counts nothing before its pointers say what it asks about.
        (None, None) if !point.is_empty() => {
            Step { point, waits_for: Some("pointers to be moved".to_owned()), ..Step::default() }
        }
        (None, None) if state.policy.gate.is_some() && seen.is_deaf() => {
            Step { waits_for: Some("a publisher that hears the agents: this one cannot".to_owned()), ..Step::default() }
        }
        (None, None) => {
            let step = go_on(state, seen, now);
            let again_at = earliest(step.again_at, hold::next_look(state, now).filter(|_| step.state.is_none()));
            Step { again_at, ..step }
        }
    }
}

fn go_on(state: &Rollout, seen: &Observed<'_>, now: Timestamp) -> Step {
    match (&state.stage, &state.policy.gate) {
        (Stage::Preparing { everyone, since }, Some(gate)) => {
            preparing::go_on(state, *everyone, gate, *since, seen, now)
        }
        (Stage::Wave { index, since }, Some(gate)) => {
            Wave { state, gate, index: *index, since: *since }.go_on(seen, now)
        }
        (Stage::Preparing { since, .. } | Stage::Wave { since, .. }, None) => timed::go_on(state, *since, seen, now),
        (Stage::Waiting { .. } | Stage::Ended(_), _) => Step::default(),
    }
}

/// Why the rollout fails right now, whether or not it may go on.
fn failing(state: &Rollout, seen: &Observed<'_>, now: Timestamp) -> Option<String> {
    let by_gate = match (&state.stage, &state.policy.gate) {
        (Stage::Preparing { since, .. }, Some(gate)) => match preparing::look_at(state, gate, *since, seen, now) {
            Look::Failing { why } => Some(format!("preparing: {why}")),
            _ => None,
        },
        (Stage::Wave { index, since }, Some(gate)) => {
            Wave { state, gate, index: *index, since: *since }.failing(seen, now)
        }
        _ => None,
    };
    // Who has only just begun to listen knows too few agents to say that too many of them are left out.
    let is_counted = seen.would_have_heard(state.policy.live_within.0, now);
    by_gate.or_else(|| quarantined::too_many(state, seen, now).filter(|_| is_counted))
}

fn paused_by(held: &schema::pointer::Cause) -> String {
    format!("paused by {}: {}", held.who, held.why)
}

/// The earlier of two moments, where there are any.
pub(super) fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
