//! Third step: bundle and manifest are in the store and were read from it again. No pointer names anything else (BEFORE).

use std::sync::Arc;

use schema::{App, Digest, Limits, Manifest, StorePath, Target, Verified};

use super::bundle_error::{BundleError, BundleFault};
use super::content::{self, ContentFault};
use super::place::PlacedBundle;
use super::sign::SignedBundle;
use crate::blocking::blocking;
use crate::compile::CompiledBundle;
use crate::proof::VerifiedCommit;
use crate::publisher::Publisher;

/// A bundle that the store was seen to give out whole and as signed. Made by reading it back, and in no other way.
#[derive(Clone, Debug)]
pub(crate) struct StoredBundle {
    manifest: Arc<Verified<Manifest>>,
}

impl StoredBundle {
    /// What a pointer says to name it.
    pub(crate) fn target(&self) -> Target {
        Target { digest: self.manifest.digest, manifest: self.manifest.payload_digest() }
    }
}

/// Makes sure that the store has `bundle` and its manifest, and reads both back.
///
/// A bundle that was published before is found as it is and nothing is uploaded, whichever commit asks for it.
pub(super) async fn store_bundle(
    publisher: &Publisher,
    commit: &VerifiedCommit,
    bundle: Arc<CompiledBundle>,
) -> Result<StoredBundle, BundleError> {
    let (app, digest) = (bundle.app.clone(), bundle.summary.digest);
    match read_back(publisher, &app, &digest).await {
        Err(BundleError { fault: BundleFault::Absent { .. }, .. }) => {}
        answer => return answer,
    }
    let stored = async {
        // A crash from here on leaves at most a frame that no manifest names: the next start finds its content right.
        let placed = PlacedBundle::place(publisher, bundle).await?;
        // A crash from here on leaves at most a manifest that no pointer names: the next start finds it signed.
        SignedBundle::sign(&placed, commit, &publisher.keys).store(publisher).await
    };
    stored.await.map_err(|fault| BundleError { app: app.clone(), digest, fault })?;
    read_back(publisher, &app, &digest).await
}

/// Reads bundle and manifest from the store and checks them as an agent would.
///
/// # Errors
/// [`BundleError`] with what is not as it must be, such as [`BundleFault::Absent`].
pub(crate) async fn read_back(publisher: &Publisher, app: &App, digest: &Digest) -> Result<StoredBundle, BundleError> {
    let stored = read_and_check(publisher, app, digest).await;
    let stored = stored.map_err(|fault| BundleError { app: app.clone(), digest: *digest, fault })?;
    fail::fail_point!("publish-read-back");
    Ok(stored)
}

async fn read_and_check(publisher: &Publisher, app: &App, digest: &Digest) -> Result<StoredBundle, BundleFault> {
    let (manifest_path, bundle_path) = (
        StorePath::Manifest { app: app.clone(), digest: *digest },
        StorePath::Bundle { app: app.clone(), digest: *digest },
    );
    let read = publisher.store.read(&manifest_path, Limits::DEFAULT.manifest_max_bytes).await?;
    let Some(object) = read else { return Err(BundleFault::Absent { object: Box::new(manifest_path) }) };
    let opened = Verified::<Manifest>::open(object.bytes, &publisher.root.release, &Limits::DEFAULT);
    let manifest = match opened {
        Ok(manifest) if manifest.app == *app && manifest.digest == *digest => manifest,
        Ok(_) => return Err(BundleFault::OtherManifest { object: Box::new(manifest_path) }),
        Err(source) => return Err(BundleFault::DamagedManifest { object: Box::new(manifest_path), source }),
    };
    if publisher.root.revoked.contains(digest) {
        return Err(BundleFault::Revoked);
    }
    if manifest.release_seq < publisher.root.release_floor {
        return Err(BundleFault::BelowFloor { release_seq: manifest.release_seq, floor: publisher.root.release_floor });
    }
    let whole = *manifest.whole();
    let read = publisher.store.read(&bundle_path, Limits::DEFAULT.bundle_compressed_max_bytes).await?;
    let Some(frame) = read else { return Err(BundleFault::Absent { object: Box::new(bundle_path) }) };
    let (digest, size) = (*digest, manifest.size);
    let checked = blocking(move || {
        if frame.bytes.len() as u64 != whole.size || Digest::of(&frame.bytes) != whole.sha256 {
            return Err(ContentFault::OtherFrame);
        }
        content::check(&frame.bytes, &digest, size)
    });
    checked.await.map_err(|source| BundleFault::DamagedBundle { object: Box::new(bundle_path), source })?;
    Ok(StoredBundle { manifest: Arc::new(manifest) })
}
