//! When so many agents are left out that what the others say no longer stands for the fleet.

use schema::Timestamp;
use schema::rollout::Rollout;

use super::census::{count, live};
use super::observed::Observed;

/// Why rollouts stop, if a region leaves out more agents than the policy allows.
pub(super) fn too_many(state: &Rollout, seen: &Observed<'_>, now: Timestamp) -> Option<String> {
    let rule = state.policy.quarantine;
    if rule.after == 0 {
        return None;
    }
    state.regions.iter().find_map(|(region, leg)| {
        let view = seen.regions.get(region)?;
        let out = count(view.pointer.quarantine.len());
        if out == 0 {
            // Nobody is never too many, however many there are.
            return None;
        }
        let all = leg.fleet.max(count(live(*view, state.policy.live_within.0, now).len()) + out);
        let allowed = rule.at_most.allows(all);
        (out > allowed).then(|| format!("{out} of {all} agents in {region} are in quarantine, {allowed} may be"))
    })
}
