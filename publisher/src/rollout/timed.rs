//! While agents follow a plan by themselves: nobody is asked, and every region is stable when its plan is through.

use schema::pointer::{Cause, Deed};
use schema::rollout::{Place, Rollout, Stage};
use schema::{Region, Timestamp};

use super::advance::complete;
use super::observed::Observed;
use super::record::{after, rebase};
use super::step::{Step, earliest};
use super::waves;

/// Decides what time alone decides.
pub(super) fn go_on(state: &Rollout, since: Timestamp, seen: &Observed<'_>, now: Timestamp) -> Step {
    let ends = |region: &Region| {
        let last = waves::of(&state.policy, region).next_back();
        last.map(|last| waves::over(state, since, last))
    };
    let open = state.regions.iter().filter(|(_, leg)| matches!(leg.place, Place::Candidate { .. }));
    let open: Vec<(&Region, Option<Timestamp>)> = open.map(|(region, _)| (region, ends(region))).collect();
    let is_through = |end: &Option<Timestamp>| end.is_none_or(|end| end <= now);
    if open.iter().any(|(_, end)| is_through(end)) {
        let through: Vec<&Region> = open.iter().filter(|(_, end)| is_through(end)).map(|(region, _)| *region).collect();
        let names: Vec<&str> = through.iter().map(|region| region.as_str()).collect();
        let cause = Cause::own(Deed::Advance, &format!("the plan is through in {}", names.join(", ")));
        let mut next = after(state, now, cause);
        stable(&mut next, seen, |region| through.contains(&region));
        return Step::record(next, seen);
    }
    let end = open.iter().fold(None, |first, (_, end)| earliest(first, *end));
    let waits_for = end.map(|end| format!("agents follow the plan by themselves, the next region until {end}"));
    Step { waits_for, again_at: end, ..Step::default() }
}

/// Makes it stable in those regions, and ends the rollout where that is all.
pub(super) fn stable(next: &mut Rollout, seen: &Observed<'_>, is_through: impl Fn(&Region) -> bool) {
    for (region, leg) in &mut next.regions {
        if matches!(leg.place, Place::Candidate { .. }) && is_through(region) {
            leg.place = Place::Stable;
            rebase(leg, seen, region);
        }
    }
    if next.regions.values().all(|leg| leg.place == Place::Stable) {
        complete(next);
    }
}

/// Lets the next slices of the plan begin now; where there are none left, it is through.
pub(super) fn promote(next: &mut Rollout, seen: &Observed<'_>, since: Timestamp, now: Timestamp) {
    let waves = 0..next.policy.waves.len();
    let later = waves.map(|wave| waves::due(next, since, wave)).filter(|due| *due > now).min();
    match later {
        Some(due) => {
            let ahead = i64::try_from(due.since(now).as_millis()).unwrap_or(i64::MAX);
            let since = Timestamp::from_unix_millis(since.unix_millis().saturating_sub(ahead));
            if let Stage::Wave { since: kept, .. } = &mut next.stage {
                *kept = since;
            }
        }
        None => stable(next, seen, |_| true),
    }
}
