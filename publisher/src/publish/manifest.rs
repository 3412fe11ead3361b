//! Finds the manifest of a bundle in the store, as a reader would, and says whose signatures it has.

use bytes::Bytes;
use schema::seal::SealError;
use schema::{App, Digest, Limits, Manifest, StorePath, TrustRoot, Verified};

use super::bundle_error::BundleFault;
use crate::publisher::Publisher;

/// What stands where a bundle's manifest belongs.
pub(super) enum Found {
    /// The manifest, signed by the release keys in force.
    Sealed(Verified<Manifest>),
    /// The manifest, signed by release keys of a root before: agents under the newest refuse it.
    Former(Verified<Manifest>),
    /// Nothing.
    Absent,
}

/// Looks where readers look: at the manifest, and where the keys in force did not sign it, at what was sealed again for them.
pub(super) async fn find(publisher: &Publisher, app: &App, digest: &Digest) -> Result<Found, BundleFault> {
    let path = StorePath::Manifest { app: app.clone(), digest: *digest };
    let Some(bytes) = read(publisher, &path).await? else { return Ok(Found::Absent) };
    let release = &publisher.root().release;
    let threshold = match Verified::<Manifest>::open(bytes.clone(), release, &Limits::DEFAULT) {
        Ok(manifest) => return of(manifest, app, digest, path).map(Found::Sealed),
        Err(error @ SealError::Threshold { .. }) => error,
        Err(source) => return Err(BundleFault::DamagedManifest { object: Box::new(path), source }),
    };
    let again = StorePath::Resealed { app: app.clone(), digest: *digest, role: release.fingerprint() };
    if let Some(bytes) = read(publisher, &again).await? {
        return match Verified::<Manifest>::open(bytes, release, &Limits::DEFAULT) {
            Ok(manifest) => of(manifest, app, digest, again).map(Found::Sealed),
            Err(source) => Err(BundleFault::DamagedManifest { object: Box::new(again), source }),
        };
    }
    for role in publisher.roots.former_release_roles() {
        if let Ok(manifest) = Verified::<Manifest>::open(bytes.clone(), role, &Limits::DEFAULT) {
            return of(manifest, app, digest, path).map(Found::Former);
        }
        let before = StorePath::Resealed { app: app.clone(), digest: *digest, role: role.fingerprint() };
        let Some(bytes) = read(publisher, &before).await? else { continue };
        if let Ok(manifest) = Verified::<Manifest>::open(bytes, role, &Limits::DEFAULT) {
            return of(manifest, app, digest, before).map(Found::Former);
        }
    }
    let object = Box::new(path);
    Err(match publisher.roots.begins_late() {
        true => BundleFault::SignersUnknown { object, oldest: publisher.roots.pinned().version },
        false => BundleFault::DamagedManifest { object, source: threshold },
    })
}

/// Whether `root` lets a pointer name the bundle of `manifest`.
pub(super) fn check_allowed(root: &TrustRoot, manifest: &Manifest) -> Result<(), BundleFault> {
    if root.revoked.contains(&manifest.digest) {
        return Err(BundleFault::Revoked);
    }
    let (release_seq, floor) = (manifest.release_seq, root.release_floor);
    if release_seq < floor { Err(BundleFault::BelowFloor { release_seq, floor }) } else { Ok(()) }
}

async fn read(publisher: &Publisher, path: &StorePath) -> Result<Option<Bytes>, BundleFault> {
    let read = publisher.store.read(path, Limits::DEFAULT.manifest_max_bytes).await?;
    Ok(read.map(|object| object.bytes))
}

fn of(
    manifest: Verified<Manifest>,
    app: &App,
    digest: &Digest,
    object: StorePath,
) -> Result<Verified<Manifest>, BundleFault> {
    let is_it = (&manifest.app, &manifest.digest) == (app, digest);
    if is_it { Ok(manifest) } else { Err(BundleFault::OtherManifest { object: Box::new(object) }) }
}
