//! Seals manifests again for the release keys of a new trust root, so that agents under it can run what was released before.
//!
//! Only what the old keys signed, what the trust root still allows and what reads back as it was signed is sealed again. And
//! only for pointers of the epoch in force: an epoch begins because a key was stolen, and what pointers of the time before
//! name may be a thief's.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::{TryStreamExt as _, pin_mut};
use schema::{App, Digest, Generation, Manifest, Order, Pointer, Region, Serial, StorePath, Target};

use super::ancestry::{Ancestry, AncestryError};
use super::bundle_error::{BundleError, BundleFault};
use super::manifest::{Found, check_allowed, find};
use super::pieces::Pieces;
use super::read_back::check_frame;
use super::report::Waiting;
use super::seal::{Sealing, awaiting, join, payload_of, seal};
use crate::blocking::blocking;
use crate::duty::Duty;
use crate::history::records;
use crate::keys::Role;
use crate::publisher::Publisher;
use crate::region::{self, RegionError, RegionFault};

/// How many generations of a region stay within reach of a rollback when release keys are rotated.
pub(crate) const REACH: u64 = 16;

/// Makes sure that agents under the newest root will believe the bundle that `pointer` names, before it is signed afresh.
/// What its manifest waits for, if it does.
///
/// # Errors
/// [`BundleError`]: they would refuse it.
pub(crate) async fn vouch(publisher: &Publisher, pointer: &Pointer) -> Result<Option<Waiting>, BundleError> {
    let Pointer { app, stable: target, epoch, .. } = pointer;
    let refused = |fault| BundleError { app: app.clone(), digest: target.digest, fault };
    let found = match find(publisher, app, &target.digest).await {
        Ok(found) => found,
        // Hosts that have the bundle are kept fresh; that others cannot get it is for a human to mend.
        Err(fault) if fault.is_of_the_manifest() => {
            let said = crate::causes(&refused(fault)).join(": ");
            tracing::error!("New hosts cannot get what runs in region {}: {said}", pointer.region);
            return Ok(None);
        }
        Err(fault) => return Err(refused(fault)),
    };
    match found {
        Found::Sealed(manifest) => check_allowed(publisher.root(), &manifest).map(|()| None).map_err(refused),
        Found::Former(manifest) => {
            check_allowed(publisher.root(), &manifest).map_err(refused)?;
            if *epoch != publisher.root().epoch {
                return Err(refused(BundleFault::Unsealed));
            }
            reseal(publisher, app, *target, None).await
        }
        Found::Absent => {
            tracing::error!("New hosts cannot get what runs in region {}: its manifest is gone", pointer.region);
            Ok(None)
        }
    }
}

/// Seals the manifest of `target` for the release keys in force, if it is not. A rebuilder needs the `history` in which it
/// compiles the commit anew; without one it signs nothing.
///
/// # Errors
/// [`BundleError`]: it must not be, or something is missing.
pub(crate) async fn reseal(
    publisher: &Publisher,
    app: &App,
    target: Target,
    history: Option<&Arc<dyn Ancestry>>,
) -> Result<Option<Waiting>, BundleError> {
    let digest = target.digest;
    let sealing = seal_again(publisher, app, target, history).await;
    match sealing.map_err(|fault| BundleError { app: app.clone(), digest, fault })? {
        Sealing::Complete => Ok(None),
        Sealing::Awaiting { signed, threshold } => Ok(Some(Waiting { app: app.clone(), digest, signed, threshold })),
    }
}

async fn seal_again(
    publisher: &Publisher,
    app: &App,
    target: Target,
    history: Option<&Arc<dyn Ancestry>>,
) -> Result<Sealing, BundleFault> {
    let path = again(publisher, app, &target.digest);
    let manifest = match find(publisher, app, &target.digest).await? {
        Found::Sealed(_) => return Ok(Sealing::Complete),
        Found::Former(manifest) => manifest,
        Found::Absent => {
            let object = StorePath::Manifest { app: app.clone(), digest: target.digest };
            return Err(BundleFault::Absent { object: Box::new(object) });
        }
    };
    if manifest.payload_digest() != target.manifest {
        return Err(BundleFault::OtherManifest { object: Box::new(super::seal::manifest_path(app, &target.digest)) });
    }
    check_allowed(publisher.root(), &manifest)?;
    let waits = publisher.duty.has(Role::Release);
    if let (true, Some((awaiting, _))) = (waits, awaiting(publisher, app, &target.digest, Some(target.manifest)).await?)
    {
        return Ok(awaiting);
    }
    let signs = match publisher.duty {
        Duty::Rebuild => is_reproduced(&manifest, history).await?,
        duty => duty.has(Role::Release),
    };
    if !signs {
        let pieces = Pieces::read(publisher, app, &target.digest).await?;
        return join(publisher, &pieces, &path).await;
    }
    check_frame(publisher, &manifest).await?;
    seal(publisher, payload_of(&manifest), &path).await
}

/// Whether the commit that the manifest names compiles to its bundle here.
async fn is_reproduced(manifest: &Manifest, history: Option<&Arc<dyn Ancestry>>) -> Result<bool, AncestryError> {
    let Some(history) = history.map(Arc::clone) else { return Ok(false) };
    let Manifest { app, digest, commit, tree, release_seq, .. } = manifest.clone();
    let origin = blocking(move || history.origin(&commit, &app, &digest)).await?;
    Ok(origin.is_some_and(|origin| (origin.tree, origin.release_seq) == (tree, release_seq)))
}

/// Where the manifest of a bundle is sealed again for the release keys in force.
pub(super) fn again(publisher: &Publisher, app: &App, digest: &Digest) -> StorePath {
    StorePath::Resealed { app: app.clone(), digest: *digest, role: publisher.root().release.fingerprint() }
}

/// Seals again what `places` run, and what a rollback may take them back to. What waits for other signers, and what went wrong:
/// one bundle that is gone keeps none of the others.
pub(crate) async fn reseal_reach(
    publisher: &Publisher,
    places: impl IntoIterator<Item = (App, Region)>,
    history: Option<&Arc<dyn Ancestry>>,
) -> (Vec<Waiting>, Vec<RegionError>) {
    let (mut waiting, mut failed, mut done) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (app, region) in places {
        let stays = |fault: RegionFault| RegionError { app: app.clone(), region: region.clone(), fault };
        let targets = match reach(publisher, &app, &region).await {
            Ok(targets) => targets,
            Err(fault) => {
                failed.push(stays(fault));
                continue;
            }
        };
        for target in targets {
            if !done.insert((app.clone(), target.digest, target.manifest)) {
                continue;
            }
            match reseal(publisher, &app, target, history).await {
                Ok(None) => {}
                Ok(Some(awaited)) => waiting.push(awaited),
                // What the root forbids is out of a rollback's reach on purpose.
                Err(BundleError { fault: BundleFault::Revoked | BundleFault::BelowFloor { .. }, .. }) => {}
                Err(error) => failed.push(stays(RegionFault::Bundle(Box::new(error)))),
            }
        }
    }
    (waiting, failed)
}

/// What the last generations of this epoch name, newest first.
async fn reach(publisher: &Publisher, app: &App, region: &Region) -> Result<Vec<Target>, RegionFault> {
    let epoch = publisher.root().epoch;
    let newest = region::look(publisher, app, region).await.map_err(|error| error.fault)?.newest;
    let Some(newest) = newest.filter(|newest| newest.epoch == epoch) else { return Ok(Vec::new()) };
    // Listed from there on, so that the cost does not grow with the history.
    let beyond = Generation::new(newest.generation.number().saturating_sub(REACH));
    let beyond = Order { epoch, generation: beyond, serial: Serial::new(u64::MAX) };
    let orders = publisher.store.history_after(app, region, Some(beyond)).await?;
    let changes = orders.into_iter().rev().filter(|order| order.epoch == epoch && order.serial == Serial::FIRST);
    let records = records(&publisher.store, &publisher.roots, (app, region), changes);
    pin_mut!(records);
    let mut targets = Vec::new();
    while let Some(pointer) = records.try_next().await? {
        targets.push(pointer.stable);
    }
    Ok(targets)
}
