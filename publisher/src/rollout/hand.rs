//! Compares what a record means with what a region's pointer says: as wanted, lagging, or moved by another hand.

use schema::pointer::{Cause, Deed};
use schema::rollout::{End, Leg, Place, Rollout};
use schema::{Pointer, Region, Timestamp};

use super::observed::Observed;
use super::record::ended;
use super::wanted::wanted;

/// How a region's newest pointer stands to a rollout's newest record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// It says what the record means.
    AsWanted,
    /// It says what an earlier record meant, or what was there before.
    Lagging,
    /// Somebody else moved it.
    Foreign,
    /// It is older than what the record was decided on.
    Old,
}

/// How `pointer` stands to `state`.
///
/// A candidate that is not this rollout's own is no other hand: nobody sets one by hand. A publisher that slept between its
/// record and its pointer did, when its rollout was over already, and it is taken away or overwritten.
pub(super) fn shown(state: &Rollout, region: &Region, leg: &Leg, pointer: &Pointer) -> Shown {
    let is_from = pointer.stable == leg.from;
    let Some(wanted) = wanted(state, region) else {
        let moved = pointer.order() > leg.based_on && !is_from;
        return if moved { Shown::Foreign } else { Shown::AsWanted };
    };
    if wanted.is_shown_by(pointer) {
        Shown::AsWanted
    } else if pointer.order() < leg.based_on {
        Shown::Old
    } else if state.is_over() {
        // What became of the region after that is no longer this rollout's business.
        if is_from && pointer.candidate.is_some() { Shown::Lagging } else { Shown::Foreign }
    } else if is_from && !was_taken_back(leg, pointer) {
        Shown::Lagging
    } else {
        Shown::Foreign
    }
}

/// Whether somebody took the candidate away since the leg's place was decided: then the pointer says again what it said before.
fn was_taken_back(leg: &Leg, pointer: &Pointer) -> bool {
    let by_deed = pointer.cause.as_ref().is_some_and(|cause| matches!(cause.deed, Deed::Rollback | Deed::Abort));
    let is_later = pointer.order() > leg.based_on && !pointer.order().same_generation(leg.based_on);
    is_later && pointer.candidate.is_none() && (by_deed || pointer.withdrawn.contains(&leg.to.digest))
}

/// The regions to point. A frozen region is only ever pointed back.
pub(super) fn lagging(state: &Rollout, seen: &Observed<'_>) -> Vec<Region> {
    let lags = |(region, leg): &(&Region, &Leg)| {
        seen.regions.get(region).is_some_and(|view| {
            let may_move = !view.pointer.freeze || matches!(leg.place, Place::Back { .. });
            may_move && shown(state, region, leg, view.pointer) == Shown::Lagging
        })
    };
    state.regions.iter().filter(lags).map(|(region, _)| region.clone()).collect()
}

/// The end of a rollout one of whose regions somebody else moved.
pub(super) fn taken(state: &Rollout, seen: &Observed<'_>, now: Timestamp) -> Option<Rollout> {
    let mut moved = state.regions.iter().filter_map(|(region, leg)| {
        let view = seen.regions.get(region)?;
        (shown(state, region, leg, view.pointer) == Shown::Foreign).then_some((region, view.pointer))
    });
    let (region, pointer) = moved.next()?;
    let by = pointer.cause.as_ref().map_or_else(String::new, |cause| format!(" by {}: {}", cause.who, cause.why));
    let cause = Cause::own(Deed::Abort, &format!("region {region} was moved to generation {}{by}", pointer.generation));
    let end = End::Aborted { why: cause.why.clone() };
    let mut next = ended(state, seen, end, cause, now);
    // What the other hand did there stands.
    for (region, leg) in &state.regions {
        let is_theirs =
            seen.regions.get(region).is_some_and(|it| shown(state, region, leg, it.pointer) == Shown::Foreign);
        if is_theirs && let Some(leg) = next.regions.get_mut(region) {
            leg.place = Place::Back { why: next.cause.why.clone() };
        }
    }
    Some(next)
}
