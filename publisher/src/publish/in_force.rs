//! The policies that a commit goes by: those that were in force before it.

use std::collections::BTreeMap;

use schema::rollout::Policy;
use schema::{App, CommitId};

/// By which policies the apps of a commit go.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// The commit that was published last before it; none where it is the first.
    pub base: Option<CommitId>,
    /// The policy of each app that has one: that of `base`, where it had one there, else the commit's own. So no commit lifts
    /// its own waves.
    pub policies: BTreeMap<App, Policy>,
}

impl InForce {
    /// The policies `before` a commit, and its `own` for the rest.
    pub fn between(base: Option<CommitId>, before: BTreeMap<App, Policy>, own: &BTreeMap<App, Policy>) -> InForce {
        let mut policies = own.clone();
        policies.extend(before);
        InForce { base, policies }
    }
}
