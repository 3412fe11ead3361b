//! What makes a rollout stand still: a frozen region, a closed window.
//!
//! A rollout under way that is held says so in a record, so that every publisher knows for how long its clocks stood.

use schema::Timestamp;
use schema::pointer::{Cause, Deed};
use schema::rollout::{Place, Rollout};

use super::observed::Observed;
use super::record::after;
use super::window::{Standing, standing};

/// Why a rollout may not go on right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) why: String,
    /// When it goes away by itself, if that is known.
    pub(super) until: Option<Timestamp>,
}

impl Obstacle {
    /// What is waited for, and until when.
    pub(super) fn in_words(&self) -> String {
        match self.until {
            Some(until) => format!("{}, until {until}", self.why),
            None => self.why.clone(),
        }
    }
}

/// What is in the way. One frozen region where something is left to do holds all: waves go over regions together.
pub(super) fn obstacle(state: &Rollout, seen: &Observed<'_>, now: Timestamp) -> Option<Obstacle> {
    let frozen = state.regions.iter().find(|(region, leg)| {
        let is_open = matches!(leg.place, Place::Untouched | Place::Candidate { .. });
        is_open && seen.regions.get(region).is_some_and(|view| view.pointer.freeze)
    });
    if let Some((region, _)) = frozen {
        return Some(Obstacle { why: format!("region {region} is frozen until a `driftless unfreeze`"), until: None });
    }
    match standing(&state.policy, now) {
        Standing::Open => None,
        Standing::Closed { opens, why } => Some(Obstacle { why, until: opens }),
    }
}

/// Whether somebody, or a failed gate, holds it, rather than an obstacle that goes away by itself.
pub(super) fn is_by_hand(held: &Cause) -> bool {
    held.deed != Deed::Freeze
}

/// Stands still from now on.
pub(super) fn hold(state: &Rollout, obstacle: &Obstacle, now: Timestamp) -> Rollout {
    let cause = Cause::own(Deed::Freeze, &obstacle.why);
    Rollout { paused: Some(cause.clone()), ..after(state, now, cause) }
}

/// Goes on, with the time that was left.
pub(super) fn lift(state: &Rollout, now: Timestamp) -> Rollout {
    let why = state.paused.as_ref().map_or_else(String::new, |held| format!("over: {}", held.why));
    Rollout { paused: None, ..after(state, now, Cause::own(Deed::Resume, &why)) }
}

/// When to look again at the latest, where a window can close that does not say when.
pub(super) fn next_look(state: &Rollout, now: Timestamp) -> Option<Timestamp> {
    let has_windows = !(state.policy.windows.is_empty() && state.policy.freezes.is_empty());
    has_windows.then(|| now.after(std::time::Duration::from_secs(30)))
}
