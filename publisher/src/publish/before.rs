//! What was compiled before the commit that is published.

use schema::rollout::Policy;
use schema::{App, Digest, Region};

use crate::compile::Compilation;

/// The bundles of the commit before, as far as this process knows them.
#[derive(Clone, Copy, Debug)]
pub enum Before<'b> {
    /// Nothing is known.
    Unknown,
    /// They were compiled, and not all of them may be where they belong.
    Compiled(&'b Compilation),
    /// They were published, and nothing of them waits for anything.
    Settled(&'b Compilation),
}

impl<'b> Before<'b> {
    pub(super) fn compilation(self) -> Option<&'b Compilation> {
        match self {
            Before::Unknown => None,
            Before::Compiled(compilation) | Before::Settled(compilation) => Some(compilation),
        }
    }

    /// Whether a region was settled with this bundle, by this policy.
    pub(super) fn has_settled(self, place: &(App, Region), digest: Digest, policy: Option<&Policy>) -> bool {
        let Before::Settled(before) = self else { return false };
        before.bundles.get(place).is_some_and(|bundle| bundle.summary.digest == digest)
            && before.policies.get(&place.0) == policy
    }
}
