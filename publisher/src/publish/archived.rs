//! What patches are checked with: the archive of a bundle, and a patch, each as the store has it.

use bytes::Bytes;
use schema::manifest::Patch;
use schema::{App, Digest, Limits, StorePath};
use store::StoreError;

use super::bundle_error::BundleFault;
use super::content::{self, ContentFault};
use super::manifest::{Found, find};
use crate::blocking::blocking;
use crate::publisher::Publisher;

/// Says why a patch is not to be named in a manifest.
#[derive(Debug, thiserror::Error)]
pub(super) enum PatchFault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It does not stand there.
    #[error("the store does not have `{0}`")]
    Absent(Box<StorePath>),
    /// What it is against cannot be had.
    #[error("the bundle it is made against cannot be had")]
    Base(#[source] Box<BundleFault>),
    /// What it is against is not signed for.
    #[error("the bundle it is made against has no signed manifest")]
    BaseUnsigned,
    /// No agent would make room for it.
    #[error("it asks for a window of 2^{0} bytes, more than 2^{max}", max = Limits::DEFAULT.patch_window_log_max)]
    Window(u8),
    /// Something else stands there.
    #[error("it is not what it should be")]
    Content(#[from] ContentFault),
}

/// The archive of a bundle, out of its frame in the store. It is that of `digest`, wherever it comes from.
pub(super) async fn archived(publisher: &Publisher, app: &App, digest: Digest) -> Result<Vec<u8>, PatchFault> {
    let found = find(publisher, app, &digest).await.map_err(|fault| match fault {
        BundleFault::Store(error) => PatchFault::Store(error),
        fault => PatchFault::Base(Box::new(fault)),
    })?;
    let (Found::Sealed(manifest) | Found::Former(manifest)) = found else { return Err(PatchFault::BaseUnsigned) };
    let path = StorePath::Bundle { app: app.clone(), digest };
    let read = publisher.store.read(&path, Limits::DEFAULT.bundle_compressed_max_bytes).await?;
    let frame = read.ok_or_else(|| PatchFault::Absent(Box::new(path)))?.bytes;
    let size = manifest.size;
    Ok(blocking(move || content::archive(&frame, &digest, size)).await?)
}

/// Whether the store has something at `path`.
pub(super) async fn stands(publisher: &Publisher, path: &StorePath) -> Result<bool, StoreError> {
    Ok(publisher.store.stream(path, Some(0..1)).await?.is_some())
}

/// Reads a patch and holds it against what a manifest says of it.
pub(super) async fn read_patch(publisher: &Publisher, path: StorePath, patch: &Patch) -> Result<Bytes, PatchFault> {
    let read = publisher.store.read(&path, Limits::DEFAULT.bundle_compressed_max_bytes).await?;
    let bytes = read.ok_or_else(|| PatchFault::Absent(Box::new(path)))?.bytes;
    if (bytes.len() as u64, Digest::of(&bytes)) != (patch.size, patch.sha256) {
        return Err(ContentFault::OtherFrame.into());
    }
    Ok(bytes)
}
