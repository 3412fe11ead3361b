//! Makes the next record out of one: the number, the clock, and the ways a rollout ends.

use std::time::Duration;

use schema::Timestamp;
use schema::pointer::{Cause, Deed};
use schema::rollout::{End, OnFailure, Place, Rollout, Stage};

use super::observed::Observed;

/// The record after `state`, with everything as it was.
///
/// The time that a rollout stood still is taken out of its clocks here, so that it counts nowhere.
pub(super) fn after(state: &Rollout, now: Timestamp, cause: Cause) -> Rollout {
    let mut next = Rollout { n: state.n + 1, at: now, cause, ..state.clone() };
    if state.paused.is_some() {
        move_clocks(&mut next, now.since(state.at));
    }
    next
}

fn move_clocks(state: &mut Rollout, by: Duration) {
    match &mut state.stage {
        Stage::Waiting { since } | Stage::Preparing { since, .. } | Stage::Wave { since, .. } => {
            *since = since.after(by)
        }
        Stage::Ended(_) => {}
    }
    for leg in state.regions.values_mut() {
        if let Place::Candidate { met: Some(met), .. } = &mut leg.place {
            *met = met.after(by);
        }
    }
}

/// A gate said no: what the policy makes of that.
pub(super) fn failed(state: &Rollout, seen: &Observed<'_>, why: &str, now: Timestamp) -> Rollout {
    match state.policy.on_failure {
        OnFailure::Rollback => {
            ended(state, seen, End::Failed { why: why.into() }, Cause::own(Deed::Rollback, why), now)
        }
        OnFailure::Pause => {
            let cause = Cause::own(Deed::Pause, why);
            Rollout { paused: Some(cause.clone()), ..after(state, now, cause) }
        }
    }
}

/// The rollout is over before it was complete: regions on the candidate go back. Those where it is stable keep it.
pub(super) fn ended(state: &Rollout, seen: &Observed<'_>, end: End, cause: Cause, now: Timestamp) -> Rollout {
    let mut next = after(state, now, cause);
    for (region, leg) in &mut next.regions {
        if matches!(leg.place, Place::Candidate { .. }) {
            leg.place = Place::Back { why: next.cause.why.clone() };
            rebase(leg, seen, region);
        }
    }
    next.stage = Stage::Ended(end);
    next.paused = None;
    next
}

/// Says that a leg's place was decided on what its region's pointer says now.
pub(super) fn rebase(leg: &mut schema::rollout::Leg, seen: &Observed<'_>, region: &schema::Region) {
    if let Some(view) = seen.regions.get(region) {
        leg.based_on = view.pointer.order();
    }
}
