//! Decides by which way a region comes to a bundle that is new to it: at once, by a rollout, or not for now.
//!
//! In: the region's newest pointer, the policy in force, the newest rollout that reached the region, and its past. Out: one
//! [`Way`]. Knows nothing of stores.

use schema::pointer::{Cause, Deed};
use schema::rollout::{End, Policy, Reverts, Rollout, Stage};
use schema::{Digest, Pointer, Region};

use crate::rollout::blocks;

/// How a region comes to the bundle that the tip asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// To all agents at once.
    Direct,
    /// Wave after wave.
    Staged,
    /// A rollout brings it already.
    UnderWay,
    /// Not for now.
    Held(Held),
}

/// Why a region does not get a bundle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// An operator took it back by hand. It stays away until another bundle supersedes it.
    ByHand,
    /// It failed there, or was given up. It stays away until another bundle supersedes it.
    Failed {
        /// Why, in one line.
        why: Box<str>,
    },
    /// Everyone stays on what they run until somebody ends the freeze.
    Frozen {
        /// Who froze the region, and why, in one line.
        why: Box<str>,
    },
    /// The rollout that is under way ends first.
    Waits {
        /// Which one, in one line.
        why: Box<str>,
    },
}

impl Held {
    /// What waits for the end of `rollout`.
    pub(crate) fn waiting_for(rollout: &Rollout) -> Held {
        Held::Waits { why: format!("rollout {} of commit {} ends first", rollout.id, rollout.commit.short()).into() }
    }

    /// Whether the bundle goes on its way by itself once something else has ended, so that its commit is not done with.
    pub fn is_pending(&self) -> bool {
        matches!(self, Held::Frozen { .. } | Held::Waits { .. })
    }
}

/// What a region ran before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// The bundle was stable there, and was left for a newer one.
    KnownGood,
    /// It was not, or it was left because it was bad.
    Unproven,
}

/// The way of `region` to `digest`, which it does not run.
///
/// `rollout` is the newest one that reached the region. A freeze stops everything; then a rollout under way has the word, and
/// what failed is not tried again; then the policy.
pub fn way(
    newest: Option<&Pointer>,
    (region, digest): (&Region, &Digest),
    policy: Option<&Policy>,
    rollout: Option<&Rollout>,
    past: Past,
) -> Way {
    // The first bundle of a region has no agents to break.
    let Some(newest) = newest else { return Way::Direct };
    let leg = rollout.and_then(|rollout| Some((rollout, rollout.regions.get(region)?)));
    if let Some((rollout, leg)) = leg.filter(|(rollout, _)| !rollout.is_over()) {
        return if leg.to.digest == *digest { Way::UnderWay } else { Way::Held(Held::waiting_for(rollout)) };
    }
    if newest.freeze {
        return Way::Held(frozen(newest.cause.as_ref()));
    }
    if let Some(why) = rollout.and_then(|rollout| blocks(rollout, region, digest)) {
        return Way::Held(Held::Failed { why: why.into() });
    }
    match policy {
        None => Way::Direct,
        Some(policy) if past == Past::KnownGood && policy.reverts == Reverts::AtOnce => Way::Direct,
        Some(_) => Way::Staged,
    }
}

/// The policy by which an app's next change goes: `in_force` is that of the commit `base`, published last.
///
/// Until a rollout was carried through, or another commit was accepted after its own, its policy stays the one in force: a
/// commit that fails cannot bring the rules that the next one goes by.
pub fn policy_in_force<'p>(
    in_force: Option<&'p Policy>,
    base: Option<&schema::CommitId>,
    rollout: Option<&'p Rollout>,
) -> Option<&'p Policy> {
    match rollout {
        Some(rollout) if Some(&rollout.commit) == base && rollout.stage != Stage::Ended(End::Complete) => {
            Some(&rollout.policy)
        }
        _ => in_force,
    }
}

fn frozen(cause: Option<&Cause>) -> Held {
    let why = match cause.filter(|cause| cause.deed == Deed::Freeze) {
        Some(cause) if cause.why.is_empty() => format!("frozen by {}", cause.who),
        Some(cause) => format!("frozen by {}: {}", cause.who, cause.why),
        None => "frozen".to_owned(),
    };
    Held::Frozen { why: why.into() }
}

#[cfg(test)]
mod tests;
