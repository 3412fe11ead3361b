//! What must not be rolled out again by itself.

use schema::rollout::{End, Rollout, Stage};
use schema::{Digest, Region};

/// Why `digest` stays out of `region`, if it does, going by the newest rollout of the app: what failed or was given up is not
/// tried again until something else takes its place, so that a publisher never fights an operator.
pub fn blocks<'a>(newest: &'a Rollout, region: &Region, digest: &Digest) -> Option<&'a str> {
    let Stage::Ended(End::Failed { why } | End::Aborted { why }) = &newest.stage else { return None };
    newest.regions.get(region).filter(|leg| leg.to.digest == *digest).map(|_| &**why)
}
