//! Going back by hand: a new generation that names an earlier bundle.
//!
//! In: an app, its regions and what to go back to. Out: the pointers that moved. The bundle that is left is withdrawn, so
//! the publisher that runs beside does not publish it again, until a commit with other content supersedes it. The steps
//! are those of a publication, from reading the bundle back onwards; nothing is uploaded.

mod error;
mod reach;
mod target;
#[cfg(test)]
mod tests;

use schema::pointer::Cause;
use schema::{App, Region};

pub use error::{RollbackError, RollbackFault};
pub use reach::at_newest;
pub use target::{KnownGeneration, RollbackTarget};

use crate::plan;
use crate::publish::{
    BundleError, BundleFault, Draft, Moved, Signing, StoredBundle, TRIES, announce, read_back, reseal,
};
use crate::publisher::Publisher;
use crate::region::{self, RegionFault, RegionState};
use target::Found;

/// Takes `regions` of `app` back to the bundle that `to` names in each one's own history.
///
/// All regions are resolved, and their bundles read back, before the first pointer moves. `cause` goes into each pointer,
/// and so into the history: who did it, and why.
///
/// # Errors
/// [`RollbackError`] with the region that is in the way and the pointers that had moved by then.
pub async fn rollback(
    publisher: &Publisher,
    app: &App,
    regions: &[Region],
    to: &RollbackTarget,
    cause: &Cause,
) -> Result<Vec<Moved>, RollbackError> {
    let fails = |region: &Region, moved: &[Moved], fault: RollbackFault| RollbackError {
        app: app.clone(),
        region: region.clone(),
        moved: moved.to_vec(),
        fault,
    };
    let mut resolved = Vec::new();
    for region in regions {
        resolved.push(resolve(publisher, app, region, to).await.map_err(|fault| fails(region, &[], fault))?);
    }
    let mut moved = Vec::new();
    for (region, resolved) in regions.iter().zip(resolved) {
        let went =
            go_back(publisher, app, region, resolved, cause).await.map_err(|fault| fails(region, &moved, fault))?;
        if let Some(went) = went {
            tracing::warn!(
                %app, %region, generation = %went.order.generation, bundle = %went.digest,
                "Rolled app {app} back in {region} to bundle {} for {}: {}",
                went.digest.short(), cause.who.escape_debug(), cause.why.escape_debug(),
            );
            moved.push(went);
        }
    }
    Ok(moved)
}

/// What a region goes back to, and what it is at.
struct Resolved {
    state: RegionState,
    found: Found,
    stored: StoredBundle,
}

async fn resolve(
    publisher: &Publisher,
    app: &App,
    region: &Region,
    to: &RollbackTarget,
) -> Result<Resolved, RollbackFault> {
    let state = region::settle(publisher, app, region).await?;
    let Some(newest) = &state.newest else { return Err(RollbackFault::NothingPublished) };
    let found = target::find(publisher, newest, to).await?;
    // Long ago is long enough for a bundle to be gone, or for the trust root to have moved on.
    let stored = match read_back(publisher, app, &found.target.digest).await {
        // Of an earlier epoch nothing is sealed again: what a stolen key pointed to then stays in the past.
        Err(BundleError { fault: BundleFault::Unsealed, .. }) if found.epoch == publisher.root().epoch => {
            if let Some(waiting) = reseal(publisher, app, found.target, None).await.map_err(Box::new)? {
                return Err(RollbackFault::Waiting(waiting));
            }
            read_back(publisher, app, &found.target.digest).await
        }
        stored => stored,
    };
    Ok(Resolved { state, stored: stored.map_err(Box::new)?, found })
}

/// Announces the earlier bundle. None if the region had come to run it in the meantime.
async fn go_back(
    publisher: &Publisher,
    app: &App,
    region: &Region,
    resolved: Resolved,
    cause: &Cause,
) -> Result<Option<Moved>, RollbackFault> {
    let Resolved { mut state, found, stored } = resolved;
    for _ in 0..TRIES {
        let newest = state.standing();
        // With a candidate under way, going back to the stable bundle is something to do.
        if newest.stable.digest == found.target.digest && newest.candidate.is_none() {
            return Ok(None);
        }
        let order = plan::following(newest, publisher.root().epoch).map_err(RegionFault::from);
        let order = order.map_err(|fault| state.error(fault))?;
        let signing = Signing::under(order, publisher);
        let draft = Draft::backward(newest, stored.target(), found.commit.clone(), signing).because(cause);
        if let Some(moved) = announce(publisher, state, draft).await? {
            return Ok(Some(moved));
        }
        // The publisher moved the region in between. What the operator asked for stays what it was.
        state = region::settle(publisher, app, region).await?;
    }
    Err(state.error(RegionFault::LostRace { tries: TRIES }).into())
}
