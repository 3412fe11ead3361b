//! Finds what a region is to go back to in that region's own history.

use std::fmt;

use futures_util::{TryStreamExt as _, pin_mut};
use schema::{CommitId, Digest, Epoch, Generation, Pointer, Serial, Target};

use super::error::RollbackFault;
use crate::history::records;
use crate::publisher::Publisher;
use crate::region::RegionFault;

/// How many generations an error message lists.
const LISTED_MAX: usize = 8;

/// What to go back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollbackTarget {
    /// The bundle that this generation named.
    Generation(Generation),
    /// This bundle.
    Digest(Digest),
    /// The bundle that this commit was published with.
    Commit(CommitId),
    /// The bundle before the one that runs: where a candidate is under way, the stable one.
    Previous,
}

impl fmt::Display for RollbackTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RollbackTarget::Generation(generation) => write!(f, "generation {generation}"),
            RollbackTarget::Digest(digest) => write!(f, "bundle {}", digest.short()),
            RollbackTarget::Commit(commit) => write!(f, "commit {}", commit.short()),
            RollbackTarget::Previous => f.write_str("earlier bundle"),
        }
    }
}

/// One generation of a region's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownGeneration {
    /// Its number.
    pub generation: Generation,
    /// The bundle that it named.
    pub digest: Digest,
    /// The commit that it named.
    pub commit: CommitId,
}

impl KnownGeneration {
    fn of(pointer: &Pointer) -> KnownGeneration {
        let Pointer { generation, commit, stable, .. } = pointer;
        KnownGeneration { generation: *generation, digest: stable.digest, commit: commit.clone() }
    }

    fn is(&self, target: &RollbackTarget, current: &Pointer) -> bool {
        match target {
            RollbackTarget::Generation(generation) => self.generation == *generation,
            RollbackTarget::Digest(digest) => self.digest == *digest,
            RollbackTarget::Commit(commit) => self.commit == *commit,
            RollbackTarget::Previous => current.candidate.is_some() || self.digest != current.stable.digest,
        }
    }
}

/// What a region goes back to.
pub(super) struct Found {
    pub(super) target: Target,
    pub(super) commit: CommitId,
    /// Of the record that names it.
    pub(super) epoch: Epoch,
}

/// Looks for `target` in the history of the region that has `current`, newest first.
pub(super) async fn find(
    publisher: &Publisher,
    current: &Pointer,
    target: &RollbackTarget,
) -> Result<Found, RollbackFault> {
    let (app, region) = (&current.app, &current.region);
    let orders = publisher.store.history_after(app, region, None).await.map_err(RegionFault::from)?;
    // Refreshes say nothing new, and there is one an hour.
    let changes = orders.into_iter().rev().filter(|order| order.serial == Serial::FIRST);
    let records = records(&publisher.store, &publisher.roots, (app, region), changes);
    pin_mut!(records);
    let mut known = Vec::new();
    while let Some(pointer) = records.try_next().await? {
        let generation = KnownGeneration::of(&pointer);
        if generation.is(target, current) {
            if generation.digest == current.stable.digest && current.candidate.is_none() {
                return Err(RollbackFault::Running { wanted: target.clone(), current: KnownGeneration::of(current) });
            }
            return Ok(Found { target: pointer.stable, commit: generation.commit, epoch: pointer.epoch });
        }
        if known.len() < LISTED_MAX {
            known.push(generation);
        }
    }
    Err(RollbackFault::Unknown { wanted: target.clone(), known })
}

/// The generations in words, newest first.
pub(super) fn list(known: &[KnownGeneration]) -> String {
    let each = known.iter().map(|KnownGeneration { generation, digest, commit }| {
        format!("generation {generation} (bundle {} of commit {})", digest.short(), commit.short())
    });
    each.collect::<Vec<_>>().join(", ")
}
