//! From compiled bundles to moved pointers: the one path on which anything is written to a store.
//!
//! In: a [`VerifiedCommit`](crate::proof::VerifiedCommit) and its compiled bundles. Out: per region, a pointer that names
//! the bundle, or the first record of a rollout that brings it. Each step is a type that consumes the one before:
//!
//! ```text
//! CompiledBundle -> PlacedBundle -> SignedBundle -> StoredBundle -> Recorded -> Published
//!                   frame stored    manifest over   manifest        history     pointer
//!                                   that frame      stored, both    record      moved
//!                                                   read back       created
//! ```
//!
//! A crash between any two leaves objects that nothing names yet, or a record whose pointer lags; the next start finds
//! both by taking the same path again. Refreshes and rollbacks enter it further right.

mod ancestry;
mod archived;
mod bases;
mod before;
mod bundle_error;
mod content;
mod draft;
mod frame;
mod in_force;
mod kept;
mod manifest;
mod past;
mod patches;
mod pieces;
mod place;
mod point;
mod read_back;
mod record;
mod refresh;
mod report;
mod reseal;
mod round;
mod runs;
mod seal;
mod sign;
mod staging;
mod start;
mod stretches;
#[cfg(test)]
mod tests;
mod work;

use futures_util::{StreamExt as _, stream};

pub use ancestry::{Ancestry, AncestryError, AncestryFault, Origin, Relation};
pub use before::Before;
pub use bundle_error::{BundleError, BundleFault};
pub use content::ContentFault;
pub use in_force::InForce;
pub use refresh::refresh;
pub use report::{Begun, Blocked, Moved, Report, Waiting};
pub use round::publish;

pub(crate) use draft::{Draft, Signing};
pub(crate) use kept::Kept;
pub(crate) use past::past;
pub(crate) use patches::PATCHES_MAX;
pub(crate) use pieces::Pieces;
pub(crate) use place::Wanted;
pub(crate) use point::announce;
pub(crate) use read_back::{StoredBundle, read_back, seal_bundle};
pub(crate) use reseal::{reseal, reseal_reach};

/// How often a region is planned again after another publisher was first.
pub(crate) const TRIES: u32 = 5;

/// How many apps and regions are worked on at a time.
const AT_A_TIME: usize = 8;

/// Runs `works`, not all at once, and gives what came of each, in their order.
// A vector, so that the closure which made the futures is no part of this one's type.
pub(crate) async fn a_few_at_a_time<F: Future>(works: Vec<F>) -> Vec<F::Output> {
    stream::iter(works).buffered(AT_A_TIME).collect().await
}

/// All values, or all errors.
fn all<T, E>(results: Vec<Result<T, E>>) -> Result<Vec<T>, Vec<E>> {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}
