//! First step: the bundle's frame is in the store, and patches to it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use schema::manifest::{Patch, Whole};
use schema::{Digest, Limits, Pointer, Region, StorePath, Verified};
use store::Created;

use super::Ancestry;
use super::bases::bases;
use super::bundle_error::BundleFault;
use super::content;
use super::frame::{Frame, frame};
use super::kept::Proven;
use super::patches::{self, Patching};
use crate::blocking::blocking;
use crate::compile::CompiledBundle;
use crate::publisher::Publisher;

/// A bundle that is to be stored, and what agents have in its place.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) bundle: Arc<CompiledBundle>,
    /// What the regions run that are to get it: patches are made against that, and what they ran before.
    pub(super) ran: Vec<(Region, Verified<Pointer>)>,
    /// The bundle that was compiled before it, with its archive, if that is at hand.
    pub(super) before: Option<Arc<CompiledBundle>>,
}

impl Wanted {
    /// A bundle to which no patch is made.
    pub(crate) fn alone(bundle: Arc<CompiledBundle>) -> Wanted {
        Wanted { bundle, ran: Vec::new(), before: None }
    }
}

/// A bundle whose frame is in the store, and what there is to say of that frame and of the patches beside it.
pub(super) struct PlacedBundle {
    pub(super) bundle: Arc<CompiledBundle>,
    /// As it stands in the store, which may be another zstd's than ours.
    pub(super) whole: Whole,
    /// Those that were read back.
    pub(super) patches: Vec<Patch>,
}

impl PlacedBundle {
    /// Compresses the bundle and stores the frame, unless a frame with the same content is there already, and the patches beside
    /// it. A rebuilder stores nothing: none, where the frame is not there yet.
    pub(super) async fn place(
        publisher: &Publisher,
        wanted: Wanted,
        ancestry: &Arc<dyn Ancestry>,
    ) -> Result<Option<PlacedBundle>, BundleFault> {
        let Wanted { bundle, ran, before } = wanted;
        let path = StorePath::Bundle { app: bundle.app.clone(), digest: bundle.summary.digest };
        if !publisher.duty.offers() {
            let max = Limits::DEFAULT.bundle_compressed_max_bytes;
            let Some(standing) = publisher.store.read(&path, max).await? else { return Ok(None) };
            let whole = adopt(standing.bytes, &bundle, path).await?;
            return Ok(Some(PlacedBundle { bundle, whole, patches: Vec::new() }));
        }
        let patching = Arc::new(Patching { bundle: Arc::clone(&bundle), before, ancestry: Arc::clone(ancestry) });
        let (app, digest, began) = (bundle.app.clone(), bundle.summary.digest, Instant::now());
        let patching = async { patching.make(publisher, bases(publisher, &app, digest, &ran).await).await };
        let (made, patches) = tokio::join!(compress(publisher, &bundle), patching);
        let (bytes, whole) = made?;
        check_size(whole.size)?;
        tracing::debug!(%app, took = ?began.elapsed(), "Compressed bundle {} to {} bytes", digest.short(), whole.size);
        let began = Instant::now();
        // Both before the manifest that names them: a crash in between leaves objects that the next start finds right.
        let (stored, patches) = tokio::join!(
            publisher.store.create(&path, bytes),
            patches::store(publisher, &bundle, patches, whole.size),
        );
        let whole = match stored? {
            Created::New | Created::Same => whole,
            // Frames differ from one release of zstd to the next, content does not.
            Created::Taken(standing) => adopt(standing, &bundle, path).await?,
        };
        tracing::debug!(%app, took = ?began.elapsed(), "Stored bundle {} and {} patches", digest.short(), patches.len());
        fail::fail_point!("publish-bundle-stored");
        Ok(Some(PlacedBundle { bundle, whole, patches }))
    }
}

/// The frame of `bundle`, and what there is to say of it.
async fn compress(publisher: &Publisher, bundle: &Arc<CompiledBundle>) -> Result<(Bytes, Whole), BundleFault> {
    let (bundle, kept) = (Arc::clone(bundle), publisher.kept.clone());
    let made = blocking(move || {
        let Frame { bytes, sha256, joined } = frame(&bundle, &kept.joined(&bundle.app))?;
        let bytes = Bytes::from(bytes);
        // Every piece of it was decompressed when it was made, and compared: what holds these very bytes holds this archive.
        if let Some(joined) = joined {
            kept.prove(Proven { digest: bundle.summary.digest, size: bundle.summary.size, frame: sha256 });
            kept.keep_made(bundle.summary.digest, bytes.clone(), sha256);
            kept.keep(&bundle, joined);
        }
        let whole = described(&bytes, sha256);
        Ok((bytes, whole))
    });
    made.await.map_err(BundleFault::Compress)
}

fn described(frame: &[u8], sha256: Digest) -> Whole {
    Whole { size: frame.len() as u64, window_log: Limits::DEFAULT.window_log_max, sha256 }
}

/// Refuses a frame that no agent would fetch, before it is stored and a manifest is signed over it.
fn check_size(size: u64) -> Result<(), BundleFault> {
    let max = Limits::DEFAULT.bundle_compressed_max_bytes;
    if size > max { Err(BundleFault::TooLarge { size, max }) } else { Ok(()) }
}

async fn adopt(standing: Bytes, bundle: &CompiledBundle, path: StorePath) -> Result<Whole, BundleFault> {
    let summary = bundle.summary;
    debug_assert!(summary.size <= Limits::DEFAULT.bundle_max_bytes, "the compiler keeps to the limits");
    let checked = blocking(move || {
        content::check(&standing, &summary.digest, summary.size).map(|()| described(&standing, Digest::of(&standing)))
    });
    checked.await.map_err(|source| BundleFault::DamagedBundle { object: Box::new(path), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_no_agent_would_fetch_is_refused() {
        let max = Limits::DEFAULT.bundle_compressed_max_bytes;
        assert!(check_size(max).is_ok());
        assert!(matches!(check_size(max + 1), Err(BundleFault::TooLarge { .. })));
    }
}
