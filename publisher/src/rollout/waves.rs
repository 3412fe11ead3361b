//! Which wave reaches which region, when, and how far: the policy as one rollout sees it.

use std::time::Duration;

use schema::pointer::FULL_SHARE;
use schema::rollout::{Leg, Place, Policy, Rollout, Share};
use schema::{Region, Timestamp};

/// The waves that reach `region`, in order.
pub(super) fn of<'a>(policy: &'a Policy, region: &'a Region) -> impl DoubleEndedIterator<Item = usize> + 'a {
    let waves = policy.waves.iter().enumerate();
    waves.filter(|(_, wave)| wave.regions.contains(region)).map(|(index, _)| index)
}

/// The newest wave of `region` once wave `index` began; none: its turn is still to come.
pub(super) fn newest(policy: &Policy, region: &Region, index: usize) -> Option<usize> {
    of(policy, region).rfind(|wave| *wave <= index)
}

/// Whether no wave after `index` reaches `region`.
pub(super) fn is_last(policy: &Policy, region: &Region, index: usize) -> bool {
    of(policy, region).all(|wave| wave <= index)
}

/// The first wave from `at_least` on that reaches a region of the rollout where there is something left to do.
pub(super) fn first_from(state: &Rollout, at_least: usize) -> Option<usize> {
    let open = |leg: &Leg| matches!(leg.place, Place::Untouched | Place::Candidate { .. });
    let reached = |index: &usize| {
        let wave = &state.policy.waves[*index];
        state.regions.iter().any(|(region, leg)| open(leg) && wave.regions.contains(region))
    };
    (at_least..state.policy.waves.len()).find(reached)
}

/// The share of slots that wave `index` means in the region of `leg`.
pub(super) fn share(policy: &Policy, leg: &Leg, index: usize) -> Share {
    leg.shares.get(index).copied().unwrap_or(policy.waves[index].share).min(Share(FULL_SHARE))
}

/// When wave `index` of a timed plan begins that began at `start`: after the spread and the soak of all before it.
pub(super) fn due(state: &Rollout, start: Timestamp, index: usize) -> Timestamp {
    start.after(before(state, index))
}

/// When wave `index` of a timed plan has had its time.
pub(super) fn over(state: &Rollout, start: Timestamp, index: usize) -> Timestamp {
    due(state, start, index).after(state.policy.spread.0 + state.policy.waves[index].soak.0)
}

/// How long after the start of a timed plan wave `index` begins. Waves that reach nothing of the rollout take no time.
pub(super) fn before(state: &Rollout, index: usize) -> Duration {
    let reaches = |index: usize| state.regions.keys().any(|region| state.policy.waves[index].regions.contains(region));
    let earlier = (0..index).filter(|earlier| reaches(*earlier));
    earlier.map(|earlier| state.policy.spread.0 + state.policy.waves[earlier].soak.0).sum()
}
