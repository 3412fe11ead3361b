//! First step: the bundle's frame is in the store.

use std::sync::Arc;

use bytes::Bytes;
use schema::{Limits, StorePath, encoding};
use store::Created;

use super::bundle_error::BundleFault;
use super::content;
use crate::blocking::blocking;
use crate::compile::CompiledBundle;
use crate::publisher::Publisher;

/// A bundle whose frame is in the store, and that frame.
pub(super) struct PlacedBundle {
    pub(super) bundle: Arc<CompiledBundle>,
    /// As it stands in the store, which may be another zstd's than ours.
    pub(super) frame: Bytes,
}

impl PlacedBundle {
    /// Compresses `bundle` and stores the frame, unless a frame with the same content is there already. A rebuilder stores
    /// nothing: none, where the frame is not there yet.
    pub(super) async fn place(
        publisher: &Publisher,
        bundle: Arc<CompiledBundle>,
    ) -> Result<Option<PlacedBundle>, BundleFault> {
        let path = StorePath::Bundle { app: bundle.app.clone(), digest: bundle.summary.digest };
        if !publisher.duty.offers() {
            let max = Limits::DEFAULT.bundle_compressed_max_bytes;
            let Some(standing) = publisher.store.read(&path, max).await? else { return Ok(None) };
            let frame = adopt(standing.bytes, &bundle, path).await?;
            return Ok(Some(PlacedBundle { bundle, frame }));
        }
        let archive = bundle.archive.clone();
        let frame: Bytes = blocking(move || encoding::compress(&archive)).await.map_err(BundleFault::Compress)?.into();
        check_size(frame.len() as u64)?;
        let frame = match publisher.store.create(&path, frame.clone()).await? {
            Created::New | Created::Same => frame,
            // Frames differ from one release of zstd to the next, content does not.
            Created::Taken(standing) => adopt(standing, &bundle, path).await?,
        };
        fail::fail_point!("publish-bundle-stored");
        Ok(Some(PlacedBundle { bundle, frame }))
    }
}

/// Refuses a frame that no agent would fetch, before it is stored and a manifest is signed over it.
fn check_size(size: u64) -> Result<(), BundleFault> {
    let max = Limits::DEFAULT.bundle_compressed_max_bytes;
    if size > max { Err(BundleFault::TooLarge { size, max }) } else { Ok(()) }
}

async fn adopt(standing: Bytes, bundle: &CompiledBundle, path: StorePath) -> Result<Bytes, BundleFault> {
    let summary = bundle.summary;
    debug_assert!(summary.size <= Limits::DEFAULT.bundle_max_bytes, "the compiler keeps to the limits");
    let checked = blocking(move || content::check(&standing, &summary.digest, summary.size).map(|()| standing)).await;
    checked.map_err(|source| BundleFault::DamagedBundle { object: Box::new(path), source })
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
