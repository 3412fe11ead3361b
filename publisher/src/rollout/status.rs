//! A rollout as people see it: its record, and what its agents say right now.

use schema::Timestamp;
use schema::rollout::{End, Leg, Place, Rollout, Share, Stage};
use schema::status::{LegStatus, RolloutStatus};
use schema::{Epoch, Generation, Region};

use super::census::{Census, census};
use super::observed::{Observed, RegionView};
use super::step::step;
use super::waves;

/// How far `state` is, and what its agents say right now. `began` is the time of its first record.
pub fn status(state: &Rollout, began: Timestamp, seen: &Observed<'_>, now: Timestamp) -> RolloutStatus {
    let view = |region| seen.regions.get(region).copied();
    RolloutStatus {
        app: state.app.clone(),
        id: state.id,
        commit: state.commit.clone(),
        policy: state.policy.name.clone(),
        waves: state.policy.waves.len(),
        stage: stage(state, now),
        paused: state.paused.clone(),
        waits_for: step(state, seen, now).waits_for,
        began,
        at: state.at,
        cause: state.cause.clone(),
        blocked: matches!(state.stage, Stage::Ended(End::Failed { .. } | End::Aborted { .. })),
        regions: state.regions.iter().map(|(region, leg)| status_of(state, region, leg, view(region), now)).collect(),
    }
}

/// A plan that agents follow goes on without records: which wave it is in says the time.
fn stage(state: &Rollout, now: Timestamp) -> Stage {
    match &state.stage {
        Stage::Wave { index, since } if state.policy.gate.is_none() => {
            let now = if state.paused.is_some() { state.at } else { now };
            let due = |wave: &usize| waves::due(state, *since, *wave) <= now;
            let index = (*index..state.policy.waves.len()).rfind(due).unwrap_or(*index);
            Stage::Wave { index, since: *since }
        }
        stage => stage.clone(),
    }
}

fn status_of(state: &Rollout, region: &Region, leg: &Leg, view: Option<RegionView<'_>>, now: Timestamp) -> LegStatus {
    let counted = view.map_or_else(Census::default, |view| census(state, region, leg, view, now));
    let expected = counted.expected(leg);
    let answered = counted.yes() + counted.no();
    LegStatus {
        region: region.clone(),
        place: leg.place.clone(),
        digest: leg.to.digest,
        epoch: view.map_or(Epoch::FIRST, |view| view.pointer.epoch),
        generation: view.map_or(Generation::FIRST, |view| view.pointer.generation),
        share: share(state, region, leg, now),
        live: counted.live,
        expected,
        prepared: counted.prepared,
        unprepared: counted.unprepared,
        applied: counted.applied,
        failed: counted.failed,
        silent: expected.saturating_sub(answered),
        quarantined: counted.quarantined,
        reasons: counted.reasons.iter().map(|reason| reason.to_string().into()).collect(),
    }
}

/// The share of agents that may run it by the newest wave of the region.
fn share(state: &Rollout, region: &Region, leg: &Leg, now: Timestamp) -> Share {
    let newest = match (&leg.place, stage(state, now)) {
        (Place::Stable, _) => return Share::FULL,
        (Place::Candidate { begun: Some(_), .. }, Stage::Wave { index, .. }) => {
            waves::newest(&state.policy, region, index)
        }
        _ => None,
    };
    newest.map_or(Share(0), |newest| state.policy.waves[newest].share)
}
