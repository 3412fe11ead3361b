//! Second step: a manifest is sealed over the frame that stands in the store. Pure but for the key.

use bytes::Bytes;
use schema::manifest::{Encoding, Whole};
use schema::{Digest, Limits, Manifest, StorePath, Verified};

use super::bundle_error::BundleFault;
use super::place::PlacedBundle;
use crate::compile::COMPILER;
use crate::keys::Keys;
use crate::proof::VerifiedCommit;
use crate::publisher::Publisher;

/// A bundle in the store, and the signed manifest that is to go beside it.
pub(super) struct SignedBundle {
    manifest: Verified<Manifest>,
}

impl SignedBundle {
    pub(super) fn sign(placed: &PlacedBundle, commit: &VerifiedCommit, keys: &Keys) -> SignedBundle {
        let PlacedBundle { bundle, frame } = placed;
        let whole =
            Whole { size: frame.len() as u64, window_log: Limits::DEFAULT.window_log_max, sha256: Digest::of(frame) };
        let manifest = Manifest {
            app: bundle.app.clone(),
            digest: bundle.summary.digest,
            size: bundle.summary.size,
            entries: bundle.summary.entries,
            release_seq: commit.release_seq(),
            commit: commit.id().clone(),
            tree: commit.tree().clone(),
            compiler: COMPILER,
            encodings: vec![Encoding::Whole(whole)],
        };
        SignedBundle { manifest: Verified::seal(manifest, &[&keys.release]) }
    }

    /// Stores the manifest. One that is there already stays, and is judged when it is read back.
    pub(super) async fn store(self, publisher: &Publisher) -> Result<(), BundleFault> {
        let path = StorePath::Manifest { app: self.manifest.app.clone(), digest: self.manifest.digest };
        let bytes: Bytes = self.manifest.bytes().clone();
        // Another publisher of the same bundle may have come first: its signature differs, its right to sign does not.
        let _ours_or_theirs = publisher.store.create(&path, bytes).await?;
        fail::fail_point!("publish-manifest-stored");
        Ok(())
    }
}
