//! While agents get a candidate ready: all regions together answer one gate, because a percentage of a few agents means little.

use std::time::Duration;

use schema::Timestamp;
use schema::pointer::{Cause, Deed};
use schema::rollout::{Gate, Place, Rollout};

use super::advance::advance;
use super::census::{Census, census};
use super::look::{Checks, Look, Question, look, pointed};
use super::observed::Observed;
use super::record::{after, failed};
use super::step::Step;

/// Looks at the gate.
pub(super) fn look_at(state: &Rollout, gate: &Gate, since: Timestamp, seen: &Observed<'_>, now: Timestamp) -> Look {
    let (mut total, mut n, mut fleet) = (Census::default(), 0, 0);
    let mut youngest = None;
    for (region, leg) in &state.regions {
        let Place::Candidate { expected, .. } = leg.place else { continue };
        let Some(view) = seen.regions.get(region) else {
            // Whoever cannot be seen is silent.
            n += expected;
            continue;
        };
        let counted = census(state, region, leg, *view, now);
        n += counted.expected(leg);
        fleet += leg.fleet;
        youngest = youngest.max(pointed(view.pointer));
        total.add(counted);
    }
    let question = Question {
        gate,
        policy: &state.policy,
        since,
        soak: Duration::ZERO,
        met: None,
        checks: Checks::Left,
        fleet,
        pointed: youngest,
    };
    look(&question, &total, n, seen, now)
}

/// Decides whether all are asked now, or the first wave begins.
pub(super) fn go_on(
    state: &Rollout,
    everyone: bool,
    gate: &Gate,
    since: Timestamp,
    seen: &Observed<'_>,
    now: Timestamp,
) -> Step {
    match look_at(state, gate, since, seen, now) {
        Look::Passed | Look::Soaking { .. } => {
            let whom = if everyone { "the agents" } else { "the first wave's agents" };
            let mut next = after(state, now, Cause::own(Deed::Advance, &format!("{whom} have it ready")));
            advance(&mut next, seen, now);
            Step::record(next, seen)
        }
        Look::Unclear { why, until, .. } | Look::Unsatisfied { why, until, .. } => {
            Step { waits_for: Some(format!("preparing: {why}")), again_at: Some(until), ..Step::default() }
        }
        Look::Late { why } | Look::Failing { why } => {
            Step::record(failed(state, seen, &format!("preparing: {why}"), now), seen)
        }
    }
}
