//! Before the first agent is asked: is the time right, and is it known how many agents there are?

use schema::Timestamp;
use schema::pointer::{Cause, Deed};
use schema::rollout::{End, Rollout};

use super::advance::launch;
use super::census::{count, live};
use super::observed::Observed;
use super::record::ended;
use super::step::Step;
use super::{hold, quarantined, waves};

/// Decides whether the rollout begins.
pub(super) fn step(state: &Rollout, seen: &Observed<'_>, now: Timestamp) -> Step {
    if let Some(failed) = out_of_reach(state, seen, now) {
        return Step::record(failed, seen);
    }
    if let Some(obstacle) = hold::obstacle(state, seen, now) {
        return Step { waits_for: Some(obstacle.in_words()), again_at: obstacle.until, ..Step::default() };
    }
    if let Some(why) = quarantined::too_many(state, seen, now) {
        return Step { waits_for: Some(why), ..Step::default() };
    }
    if state.policy.gate.is_some() {
        let Some(since) = seen.listening_since else {
            let why = "agents cannot be heard here: serve a gateway, or go by a policy without gates";
            return Step { waits_for: Some(why.to_owned()), ..Step::default() };
        };
        let known = fleet(state, seen, now);
        let is_whole_fleet = seen.last_fleet > 0 && known >= seen.last_fleet;
        if !is_whole_fleet && !seen.would_have_heard(state.policy.live_within.0, now) {
            return Step {
                waits_for: Some(format!("agents are being counted: {known} so far")),
                again_at: Some(since.after(state.policy.live_within.0)),
                ..Step::default()
            };
        }
    }
    let cause = Cause::own(
        Deed::Begin,
        &format!("commit {} begins, as policy `{}` says", state.commit.short(), state.policy.name),
    );
    Step::record(launch(state, seen, cause, now), seen)
}

/// The end of a rollout whose policy forgets a region: a commit must not slip in there, nor wait for ever in silence.
pub(super) fn out_of_reach(state: &Rollout, seen: &Observed<'_>, now: Timestamp) -> Option<Rollout> {
    let region = state.regions.keys().find(|region| waves::of(&state.policy, region).next().is_none())?;
    let why = format!("no wave of policy `{}` reaches region {region}", state.policy.name);
    let end = End::Failed { why: why.as_str().into() };
    Some(ended(state, seen, end, Cause::own(Deed::Rollback, &why), now))
}

fn fleet(state: &Rollout, seen: &Observed<'_>, now: Timestamp) -> u64 {
    let views = state.regions.keys().filter_map(|region| seen.regions.get(region));
    views.map(|view| count(live(*view, state.policy.live_within.0, now).len())).sum()
}
