//! Second step: what the manifest says over the frame that stands in the store, and whose saying of it is put before the others
//! to sign. What others say of patches is held against the store.

use std::sync::Arc;

use schema::Manifest;
use schema::manifest::{Encoding, Patch};
use schema::seal::Payload;
use store::Failure;

use super::ancestry::Ancestry;
use super::archived::PatchFault;
use super::bundle_error::BundleFault;
use super::patches::{PATCHES_MAX, hold};
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
        let PlacedBundle { bundle, whole, patches } = self;
        Manifest {
            app: bundle.app.clone(),
            digest: bundle.summary.digest,
            size: bundle.summary.size,
            entries: bundle.summary.entries,
            release_seq: commit.release_seq(),
            commit: commit.id().clone(),
            tree: commit.tree().clone(),
            compiler: COMPILER,
            encodings: [Encoding::Whole(*whole)]
                .into_iter()
                .chain(patches.iter().copied().map(Encoding::Patch))
                .collect(),
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
        if publisher.duty.offers() && publisher.releases_alone() {
            return Ok(Some(Payload::of(ours)));
        }
        let pieces = Pieces::read(publisher, &ours.app, &ours.digest).await?;
        for offered in pieces.payloads() {
            if holds(publisher, &ours, offered, ancestry).await? {
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
/// was when that one is compiled here. Patches may be others than ours, or none, but each must be one.
async fn holds(
    publisher: &Publisher,
    ours: &Manifest,
    offered: &Manifest,
    ancestry: &Arc<dyn Ancestry>,
) -> Result<bool, BundleFault> {
    let Manifest { release_seq, commit, tree, encodings, .. } = offered.clone();
    let same_bundle = Manifest { release_seq, commit: commit.clone(), tree: tree.clone(), encodings, ..ours.clone() };
    if same_bundle != *offered || offered.whole() != ours.whole() {
        return Ok(false);
    }
    let Some(patches) = patches_of(offered) else { return Ok(false) };
    let is_of_our_commit = (&ours.commit, &ours.tree, ours.release_seq) == (&commit, &tree, release_seq);
    if !is_of_our_commit {
        if commit == ours.commit {
            return Ok(false);
        }
        let (ancestry, app, digest) = (Arc::clone(ancestry), ours.app.clone(), ours.digest);
        let origin = blocking(move || ancestry.origin(&commit, &app, &digest)).await?;
        if origin.is_none_or(|origin| (origin.tree, origin.release_seq) != (tree, release_seq)) {
            return Ok(false);
        }
    }
    if *ours == *offered {
        // We made the same patches ourselves.
        return Ok(true);
    }
    match hold(publisher, &ours.app, (ours.digest, ours.size), &patches).await {
        Ok(()) => Ok(true),
        // A store that gives no answer says nothing about a patch. What is too large to be one is an answer.
        Err(PatchFault::Store(error)) if !matches!(error.kind, Failure::TooLarge { .. }) => Err(error.into()),
        Err(error) => {
            let said = crate::causes(&error).join(": ");
            tracing::error!(app = %ours.app, bundle = %ours.digest, "A patch to bundle {} is not one: {said}", ours.digest.short());
            Ok(false)
        }
    }
}

/// The patches that a manifest lists; none where it lists too many, or anything that is not known here.
pub(super) fn patches_of(manifest: &Manifest) -> Option<Vec<Patch>> {
    let others = manifest.encodings.iter().filter(|encoding| !matches!(encoding, Encoding::Whole(_)));
    let patches: Option<Vec<Patch>> = others
        .map(|encoding| match encoding {
            Encoding::Patch(patch) => Some(*patch),
            Encoding::Whole(_) | Encoding::Unknown => None,
        })
        .collect();
    patches.filter(|patches| patches.len() <= PATCHES_MAX)
}
