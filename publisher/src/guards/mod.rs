//! Guards: what a commit may not do by mistake, however well it is signed and however well it compiles.
//!
//! In: what the apps were and what the commit makes of them, what their regions ran lately, and what signed commits allow.
//! Out: nothing, or every [`Refusal`] with the object, the numbers, and the trailer that lifts it:
//!
//! ```text
//! Driftless-Allow: shrink
//! ```
//!
//! in a signed commit since the one published last (see [`proof`](crate::proof)). Commits that machines make are under the same
//! guards. Going back to a bundle that a region is known to have run well is under none, whatever grows or shrinks by it.
//! [`guard`] is pure; `check` reads what it needs from the repository and the store.

mod allowances;
mod check;
mod flap;
mod policy;
mod sizes;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schema::{App, Region, Timestamp};

pub use allowances::Allowances;
pub use check::GuardError;
pub(crate) use check::check;

use crate::compile::{Contents, Listing};

/// What is guarded against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    /// A file that had something in it has nothing.
    Empty,
    /// An app loses more than half of its files or bytes.
    Shrink,
    /// An app more than doubles its files or bytes.
    Growth,
    /// A file goes back and forth between two versions.
    Flap,
    /// An app loses the policy, the gate or the waves by which its commits reach agents.
    Rollout,
}

impl Guard {
    /// All of them.
    pub const ALL: [Guard; 5] = [Guard::Empty, Guard::Shrink, Guard::Growth, Guard::Flap, Guard::Rollout];

    /// The word that lifts it, after `Driftless-Allow:`.
    pub fn word(self) -> &'static str {
        match self {
            Guard::Empty => "empty",
            Guard::Shrink => "shrink",
            Guard::Growth => "growth",
            Guard::Flap => "flap",
            Guard::Rollout => "rollout",
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What a commit is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// What was published last.
    pub before: &'q Contents,
    /// What is to be published.
    pub after: &'q Contents,
    /// What regions ran; a region that is not there never ran anything.
    pub pasts: &'q BTreeMap<(App, Region), Past>,
    /// What signed commits allow.
    pub allowed: &'q Allowances,
    /// When it is asked.
    pub now: Timestamp,
}

/// What one app's region ran.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Whether the commit goes back to a bundle that the region is known to have run well.
    pub goes_back: bool,
    /// What it ran in the last minutes, oldest first, and before that what it ran when they began.
    pub lately: Vec<Ran>,
}

/// What a region ran from some moment on.
#[derive(Clone, Debug)]
pub struct Ran {
    /// From when on.
    pub since: Timestamp,
    /// The files.
    pub listing: Arc<Listing>,
}

/// One thing that a guard holds back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; if that is meant, say `Driftless-Allow: {guard}` in a signed commit")]
pub struct Refusal {
    /// Which guard.
    pub guard: Guard,
    /// Whose configuration.
    pub app: App,
    /// Where, in the order of names; empty where it concerns the app as a whole.
    pub regions: Vec<Region>,
    /// What happens to which object, with numbers.
    pub what: String,
}

/// Judges a commit by all guards.
///
/// # Errors
/// Every refusal that no trailer lifts, at least one, by app and guard. What is the same in several regions is told once.
pub fn guard(question: &Question<'_>) -> Result<(), Vec<Refusal>> {
    // By what is said of it, so that regions of which the same is to be said come together.
    let mut found: BTreeMap<(App, Guard, String), Vec<Region>> = BTreeMap::new();
    for ((app, region), after) in &question.after.listings {
        let place = (app.clone(), region.clone());
        let past = question.pasts.get(&place);
        let Some(before) = question.before.listings.get(&place) else { continue };
        if Arc::ptr_eq(before, after) || before == after {
            continue;
        }
        if past.is_some_and(|past| past.goes_back) {
            continue;
        }
        let flaps = past.and_then(|past| flap::flaps(&past.lately, after, question.now));
        for (guard, what) in sizes::changes(before, after).into_iter().chain(flaps) {
            found.entry((app.clone(), guard, what)).or_default().push(region.clone());
        }
    }
    for (app, before) in &question.before.policies {
        if !goes_back(question, app)
            && let Some(what) = policy::weakened(question.after, app, before)
        {
            found.entry((app.clone(), Guard::Rollout, what)).or_default();
        }
    }
    found.retain(|(_, guard, _), _| !question.allowed.allow(*guard));
    if found.is_empty() {
        return Ok(());
    }
    let refusals = found.into_iter().map(|((app, guard, what), regions)| {
        let what = format!("app `{app}`{} {what}", shown(&regions));
        Refusal { guard, app, regions, what }
    });
    Err(refusals.collect())
}

/// Whether all that changes of `app` goes back to what its regions are known to have run well.
fn goes_back(question: &Question<'_>, app: &App) -> bool {
    let of_app = question.after.listings.iter().filter(|((of, _), _)| of == app);
    let mut changed = of_app.filter(|(place, after)| question.before.listings.get(place) != Some(after)).peekable();
    changed.peek().is_some() && changed.all(|(place, _)| question.pasts.get(place).is_some_and(|past| past.goes_back))
}

/// How many regions are named in a message.
const NAMED_MAX: usize = 3;

fn shown(regions: &[Region]) -> String {
    let names: Vec<&str> = regions.iter().take(NAMED_MAX).map(Region::as_str).collect();
    match regions.len() {
        0 => String::new(),
        count if count <= NAMED_MAX => format!(" in {}", names.join(", ")),
        count => format!(" in {} and {} more regions", names.join(", "), count - NAMED_MAX),
    }
}

#[cfg(test)]
mod tests;
