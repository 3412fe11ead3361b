//! Decides what a newer tip does to a rollout: nothing, it waits for its end, or it takes its place.
//!
//! In: the rollout, what the tip asks for in each region, and whether it begins something new elsewhere. Out: a [`Meeting`].
//! Whether the tip is newer at all is found out by whoever asks.

use std::collections::BTreeMap;

use schema::rollout::{End, Newer, Rollout, Stage};
use schema::{Digest, Region};

/// What a tip does to a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// It asks for what the rollout brings.
    GoesOn,
    /// It asks for something else, and waits.
    Waits,
    /// It asks for something else, and takes its place.
    Ends,
}

/// Whether a tip goes by waves in regions that the rollout does not reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// It does, so there would be two rollouts of one app.
    Staged,
    /// It does not.
    Quiet,
}

/// What a tip that asks for `tip` does to `rollout`, which is under way. A region that the tip does not have any more is left as it
/// is, so it asks for nothing else there.
pub(crate) fn meet(rollout: &Rollout, tip: &BTreeMap<Region, Digest>, elsewhere: Elsewhere) -> Meeting {
    let asked = rollout.regions.iter().filter_map(|(region, leg)| Some((leg, tip.get(region)?)));
    let others: Vec<_> = asked.filter(|(leg, digest)| leg.to.digest != **digest).collect();
    if others.is_empty() && elsewhere == Elsewhere::Quiet {
        return Meeting::GoesOn;
    }
    // Whoever takes the commit back does not wait for it to be done.
    let is_revert = !others.is_empty() && others.iter().all(|(leg, digest)| leg.from.digest == **digest);
    match rollout.policy.newer {
        Newer::Wait if !is_revert => Meeting::Waits,
        _ => Meeting::Ends,
    }
}

/// Whether a tip that asks for `tip` lifts the block of `rollout`, which failed or was given up: it asks for none of its bundles.
/// `stays` is told of each region whether no newer rollout would say so by itself.
pub(crate) fn unblocks(rollout: &Rollout, tip: &BTreeMap<Region, Digest>, stays: impl Fn(&Region) -> bool) -> bool {
    let is_blocking = matches!(rollout.stage, Stage::Ended(End::Failed { .. } | End::Aborted { .. }));
    let asked = || rollout.regions.iter().filter_map(|(region, leg)| Some((region, leg, tip.get(region)?)));
    is_blocking && asked().all(|(_, leg, digest)| leg.to.digest != *digest) && asked().any(|(region, ..)| stays(region))
}
