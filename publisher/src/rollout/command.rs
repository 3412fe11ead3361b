//! What an operator does to a rollout.

use schema::control::What;
use schema::pointer::{Cause, Deed};
use schema::rollout::{End, Place, Rollout, RolloutId, Stage};
use schema::{App, CommitId, Timestamp};

use super::advance::{advance, launch};
use super::hold::is_by_hand;
use super::observed::Observed;
use super::record::{after, ended};
use super::{timed, waiting};

/// Says why a command does nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefused {
    /// The rollout ended.
    #[error("rollout {id} of app `{app}` is over")]
    Over {
        /// Whose.
        app: App,
        /// Which.
        id: RolloutId,
    },
    /// It is about another app, or not about rollouts at all.
    #[error("the command is not about the rollouts of app `{app}`")]
    NotAboutIt {
        /// Whose rollout it is.
        app: App,
    },
    /// Nobody runs the candidate.
    #[error("rollout {id} of app `{app}` has nothing to confirm: no agent runs the candidate yet")]
    NothingRuns {
        /// Whose.
        app: App,
        /// Which.
        id: RolloutId,
    },
    /// It is not held by an operator.
    #[error("rollout {id} of app `{app}` is not paused by hand but held: {why}")]
    Held {
        /// Whose.
        app: App,
        /// Which.
        id: RolloutId,
        /// By what.
        why: Box<str>,
    },
    /// A region of it is not known right now.
    #[error("the regions of rollout {id} of app `{app}` are not all known right now; try again")]
    Unseen {
        /// Whose.
        app: App,
        /// Which.
        id: RolloutId,
    },
}

/// What becomes of `state` when `who` commands `what`; none: it was so already.
///
/// # Errors
/// [`CommandRefused`]; nothing changes.
pub fn command(
    state: &Rollout,
    what: &What,
    who: &str,
    why: &str,
    seen: &Observed<'_>,
    now: Timestamp,
) -> Result<Option<Rollout>, CommandRefused> {
    let NotThis { app, id } = NotThis::of(state);
    let Some((asked, deed)) = about(what) else { return Err(CommandRefused::NotAboutIt { app }) };
    if *asked != app {
        return Err(CommandRefused::NotAboutIt { app });
    }
    if state.is_over() {
        return Err(CommandRefused::Over { app, id });
    }
    if state.regions.keys().any(|region| !seen.regions.contains_key(region)) {
        return Err(CommandRefused::Unseen { app, id });
    }
    let cause = Cause::new(who, deed, why);
    match deed {
        Deed::Pause => Ok(pause(state, cause, now)),
        Deed::Resume => resume(state, cause, now),
        Deed::Promote => Ok(Some(promote(state, seen, cause, now))),
        Deed::Confirm => confirm(state, cause, now),
        _ => {
            let end = End::Aborted { why: format!("{}: {}", cause.who, cause.why).into() };
            Ok(Some(ended(state, seen, end, cause, now)))
        }
    }
}

/// Whose rollout a command is about, and what it does to it.
fn about(what: &What) -> Option<(&App, Deed)> {
    match what {
        What::Pause { app } => Some((app, Deed::Pause)),
        What::Resume { app } => Some((app, Deed::Resume)),
        What::Promote { app } => Some((app, Deed::Promote)),
        What::Abort { app } => Some((app, Deed::Abort)),
        What::Confirm { app } => Some((app, Deed::Confirm)),
        What::Freeze { .. } | What::Unfreeze { .. } | What::Quarantine { .. } | What::Release { .. } => None,
    }
}

struct NotThis {
    app: App,
    id: RolloutId,
}

impl NotThis {
    fn of(state: &Rollout) -> NotThis {
        NotThis { app: state.app.clone(), id: state.id }
    }
}

fn pause(state: &Rollout, cause: Cause, now: Timestamp) -> Option<Rollout> {
    if state.paused.as_ref().is_some_and(is_by_hand) {
        return None;
    }
    Some(Rollout { paused: Some(cause.clone()), ..after(state, now, cause) })
}

fn resume(state: &Rollout, cause: Cause, now: Timestamp) -> Result<Option<Rollout>, CommandRefused> {
    let Some(held) = &state.paused else { return Ok(None) };
    if !is_by_hand(held) {
        let NotThis { app, id } = NotThis::of(state);
        return Err(CommandRefused::Held { app, id, why: held.why.clone() });
    }
    let mut next = Rollout { paused: None, ..after(state, now, cause) };
    if *held.who == *Cause::PUBLISHER {
        // A gate had said no. It gets all its time again, or it would say so again at once.
        restart_clocks(&mut next, now);
    }
    Ok(Some(next))
}

fn restart_clocks(next: &mut Rollout, now: Timestamp) {
    match &mut next.stage {
        Stage::Preparing { since, .. } => *since = now,
        Stage::Wave { since, .. } if next.policy.gate.is_some() => *since = now,
        // The clock of a plan is the plan.
        Stage::Waiting { .. } | Stage::Wave { .. } | Stage::Ended(_) => return,
    }
    for leg in next.regions.values_mut() {
        if let Place::Candidate { met, .. } = &mut leg.place {
            *met = None;
        }
    }
}

fn promote(state: &Rollout, seen: &Observed<'_>, cause: Cause, now: Timestamp) -> Rollout {
    if let Stage::Waiting { .. } = state.stage {
        let failed = waiting::out_of_reach(state, seen, now);
        return failed.unwrap_or_else(|| launch(state, seen, cause, now));
    }
    let mut next = Rollout { paused: None, ..after(state, now, cause) };
    match next.stage {
        Stage::Wave { since, .. } if next.policy.gate.is_none() => timed::promote(&mut next, seen, since, now),
        _ => advance(&mut next, seen, now),
    }
    next
}

fn confirm(state: &Rollout, cause: Cause, now: Timestamp) -> Result<Option<Rollout>, CommandRefused> {
    let mut next = after(state, now, cause);
    let places = next.regions.values_mut().map(|leg| &mut leg.place);
    let running = places.filter_map(|place| match place {
        Place::Candidate { begun: Some(_), confirmed, .. } => Some(confirmed),
        _ => None,
    });
    let (mut runs, mut changes) = (false, false);
    for confirmed in running {
        runs = true;
        changes |= !*confirmed;
        *confirmed = true;
    }
    if !runs {
        let NotThis { app, id } = NotThis::of(state);
        return Err(CommandRefused::NothingRuns { app, id });
    }
    Ok((changes && state.policy.confirm_within.is_some()).then_some(next))
}

/// What becomes of `state` when commit `by` takes its place: regions on the candidate go back. Of a rollout that failed or was
/// given up the block is lifted.
pub fn supersede(state: &Rollout, by: &CommitId, now: Timestamp) -> Rollout {
    let why = format!("commit {} took its place", by.short());
    let mut next = Rollout { n: state.n + 1, at: now, cause: Cause::own(Deed::Supersede, &why), ..state.clone() };
    next.paused = None;
    next.stage = Stage::Ended(End::Superseded { by: by.clone() });
    for leg in next.regions.values_mut() {
        if matches!(leg.place, Place::Candidate { .. }) {
            leg.place = Place::Back { why: why.as_str().into() };
        }
    }
    next
}
