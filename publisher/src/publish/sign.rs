//! Second step: what the manifest says over the frame that stands in the store, and whose saying of it is put before the others
//! to sign. Pure but for reading what others signed.

use std::sync::Arc;

use schema::manifest::{Encoding, Whole};
use schema::seal::Payload;
use schema::{Digest, Limits, Manifest};

use super::ancestry::{Ancestry, AncestryError};
use super::bundle_error::BundleFault;
use super::pieces::Pieces;
use super::place::PlacedBundle;
use super::seal::payload_of;
use crate::blocking::blocking;
use crate::compile::COMPILER;
use crate::proof::VerifiedCommit;
use crate::publisher::Publisher;

impl PlacedBundle {
    /// What the manifest says of this bundle, first compiled from `commit`.
    pub(super) fn describe(&self, commit: &VerifiedCommit) -> Manifest {
        let PlacedBundle { bundle, frame } = self;
        let whole =
            Whole { size: frame.len() as u64, window_log: Limits::DEFAULT.window_log_max, sha256: Digest::of(frame) };
        Manifest {
            app: bundle.app.clone(),
            digest: bundle.summary.digest,
            size: bundle.summary.size,
            entries: bundle.summary.entries,
            release_seq: commit.release_seq(),
            commit: commit.id().clone(),
            tree: commit.tree().clone(),
            compiler: COMPILER,
            encodings: vec![Encoding::Whole(whole)],
        }
    }

    /// What to sign: the first payload that another signer put up and that holds in every field, else, where we may be the
    /// first, our own. None where nobody put one up yet that we could sign.
    pub(super) async fn payload(
        &self,
        publisher: &Publisher,
        commit: &VerifiedCommit,
        ancestry: &Arc<dyn Ancestry>,
    ) -> Result<Option<Payload<Manifest>>, BundleFault> {
        let ours = self.describe(commit);
        // One signer that suffices alone has nobody to agree with.
        let root = publisher.root();
        if publisher.duty.offers() && publisher.keys.for_release(root).len() >= root.release.threshold() {
            return Ok(Some(Payload::of(ours)));
        }
        let pieces = Pieces::read(publisher, &ours.app, &ours.digest).await?;
        for offered in pieces.payloads() {
            if holds(&ours, offered, ancestry).await? {
                return Ok(Some(payload_of(offered)));
            }
            tracing::error!(
                app = %ours.app, bundle = %ours.digest,
                "A signed manifest of bundle {} does not hold in every field, so it is not signed here: it says commit {}, release {}",
                ours.digest.short(), offered.commit.short(), offered.release_seq,
            );
        }
        Ok(publisher.duty.offers().then(|| Payload::of(ours)))
    }
}

/// Whether `offered` says of the bundle what we found ourselves: the same of the same commit, or, of an earlier commit, what it
/// was when that one is compiled here.
async fn holds(ours: &Manifest, offered: &Manifest, ancestry: &Arc<dyn Ancestry>) -> Result<bool, AncestryError> {
    let Manifest { release_seq, commit, tree, .. } = offered.clone();
    let same_bundle = Manifest { release_seq, commit: commit.clone(), tree: tree.clone(), ..ours.clone() };
    if same_bundle != *offered {
        return Ok(false);
    }
    if *ours == *offered {
        return Ok(true);
    }
    if commit == ours.commit {
        return Ok(false);
    }
    let (ancestry, app, digest) = (Arc::clone(ancestry), ours.app.clone(), ours.digest);
    let origin = blocking(move || ancestry.origin(&commit, &app, &digest)).await?;
    Ok(origin.is_some_and(|origin| (origin.tree, origin.release_seq) == (tree, release_seq)))
}
