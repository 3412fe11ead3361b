//! The brakes of an app: its policy, the gate in it, and that not everyone comes first.
//!
//! A commit still goes by the policy before it; but the next one would not, so taking the brakes off is a change of its own.

use schema::App;
use schema::rollout::{Policy, RegionSet, Share};

use crate::compile::Contents;

/// What there is to say of an app whose policy would hold less back than `before`.
pub(super) fn weakened(contents: &Contents, app: &App, before: &Policy) -> Option<String> {
    if !contents.listings.keys().any(|(of, _)| of == app) {
        // It left the configuration, so nothing of it is published.
        return None;
    }
    let Some(after) = contents.policies.get(app) else {
        return Some(format!("loses its rollout `{}`: what comes next would reach everyone at once", before.name));
    };
    if before.gate.is_some() && after.gate.is_none() {
        return Some(format!("has no gate any more in its rollout `{}`: time alone would decide", after.name));
    }
    if is_staged(before) && !is_staged(after) {
        return Some(format!("has everyone in the first wave of its rollout `{}`", after.name));
    }
    None
}

/// Whether anybody is left after the first wave.
fn is_staged(policy: &Policy) -> bool {
    policy.waves.first().is_some_and(|first| {
        first.share < Share::FULL || !first.when.labels.is_empty() || matches!(first.regions, RegionSet::Named(_))
    })
}
