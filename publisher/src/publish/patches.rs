//! Patches against the bundles that agents are likely to have: made, stored, and read back before a manifest names them.
//!
//! In: a bundle, its bases, and how long its frame is. Out: what a manifest says of each patch that is worth it and stands in the
//! store. A patch saves bytes and is never needed, so whatever goes wrong with one is a warning, and the publication goes on
//! without it.

use std::sync::Arc;

use bytes::Bytes;
use schema::encoding::{patch, patch_by_search, patch_window_log};
use schema::manifest::Patch;
use schema::{Digest, Limits, StorePath};
use store::Created;

use super::ancestry::{Ancestry, AncestryFault};
use super::bases::Base;
use super::content;
use super::manifest::{Found, find};
use super::runs::{compared, runs};
use super::{a_few_at_a_time, archived};
use crate::blocking::blocking;
use crate::compile::{CompiledBundle, Layout};
use crate::publisher::Publisher;

/// How many patches a manifest may list: as many as a publisher can be told to make.
pub(crate) const PATCHES_MAX: usize = 16;

/// From this many fresh bytes on a patch is looked for by libzstd, which also compresses them.
const SEARCH_FROM: u64 = 128 << 10;

/// Only where both archives together are at most this long, in bytes: it takes about a second then, and as much memory again.
const SEARCHED_MAX: u64 = 128 << 20;

/// With more fresh bytes than this, which a patch by runs carries as they are, the whole bundle is as good, and a dozen patches at a
/// time still fit into memory.
const FRESH_MAX: u64 = 16 << 20;

/// What patches of one bundle are made from.
pub(super) struct Patching {
    pub(super) bundle: Arc<CompiledBundle>,
    /// The bundle that its region had before, with its archive, if that is at hand.
    pub(super) before: Option<Arc<CompiledBundle>>,
    pub(super) ancestry: Arc<dyn Ancestry>,
}

/// A patch, and the base it is against.
pub(super) struct Made {
    from: Digest,
    bytes: Bytes,
}

impl Patching {
    /// Makes a patch against each of `bases`, but for those whose files cannot be told.
    pub(super) async fn make(self: &Arc<Self>, publisher: &Publisher, bases: Vec<Base>) -> Vec<Made> {
        let making = bases.into_iter().map(async |base| {
            let from = base.digest;
            self.stands(publisher, from).await.then_some(())?;
            let layout = self.layout(publisher, base).await?;
            let patching = Arc::clone(self);
            match blocking(move || patching.bytes(&layout, from)).await {
                Ok(bytes) => Some(Made { from, bytes: bytes?.into() }),
                Err(error) => {
                    warn(&self.bundle, from, &error);
                    None
                }
            }
        });
        a_few_at_a_time(making.collect()).await.into_iter().flatten().collect()
    }

    /// Whether the bundle `from` is there for others who are to sign: they make it again from the patch, and would sign for none.
    async fn stands(&self, publisher: &Publisher, from: Digest) -> bool {
        if publisher.releases_alone() {
            return true;
        }
        let frame = StorePath::Bundle { app: self.bundle.app.clone(), digest: from };
        let stands = archived::stands(publisher, &frame).await;
        stands.inspect_err(|error| warn(&self.bundle, from, error)).unwrap_or(false)
    }

    /// Where things lie in the archive of `base`.
    async fn layout(&self, publisher: &Publisher, base: Base) -> Option<Arc<Layout>> {
        let (app, from) = (self.bundle.app.clone(), base.digest);
        if let Some(layout) = publisher.kept.layout(&app, from) {
            return Some(layout);
        }
        // Asked of the repository, and believed as far as the signed manifest agrees: what it is for is checked by whoever uses it.
        let (ancestry, of) = (Arc::clone(&self.ancestry), app.clone());
        let listed = blocking(move || ancestry.layout(&base.commit, &of, &base.region)).await;
        let layout = match listed {
            Ok(layout) => Arc::new(layout?),
            Err(error) => {
                warn(&self.bundle, from, &error);
                return None;
            }
        };
        let (Ok(Found::Sealed(manifest)) | Ok(Found::Former(manifest))) = find(publisher, &app, &from).await else {
            return None;
        };
        let is_it = (manifest.size, manifest.entries) == (layout.size(), layout.spans().len() as u64);
        is_it.then(|| publisher.kept.keep_layout(&app, from, Arc::clone(&layout)))?;
        Some(layout)
    }

    /// The patch from `base`, which is laid out so; none where too little is as it was.
    fn bytes(&self, base: &Layout, from: Digest) -> Result<Option<Vec<u8>>, MakeFault> {
        let CompiledBundle { archive, layout, .. } = &*self.bundle;
        let blobs = compared(base, layout);
        let contents = self.ancestry.blobs(&blobs)?;
        let runs = runs(base, layout, archive, &blobs.into_iter().zip(contents).collect());
        if runs.fresh >= SEARCH_FROM && base.size() + layout.size() <= SEARCHED_MAX {
            let before = self.before.as_ref().filter(|before| before.summary.digest == from);
            if let Some(before) = before {
                return Ok(Some(patch_by_search(&before.archive, archive)?));
            }
        }
        // By then it could not be half of the whole frame either.
        let is_too_much = runs.fresh > FRESH_MAX.min(layout.size() / 2);
        Ok((!is_too_much).then(|| patch(base.size(), archive, &runs.all)))
    }
}

/// Says why a patch could not be made.
#[derive(Debug, thiserror::Error)]
enum MakeFault {
    /// The repository cannot be asked.
    #[error(transparent)]
    Ancestry(#[from] AncestryFault),
    /// There was no memory.
    #[error("it could not be compressed")]
    Compress(#[from] std::io::Error),
}

/// Stores those of `made` that are worth it, beside a frame of `whole` bytes, and reads them back. What a manifest says of them.
pub(super) async fn store(publisher: &Publisher, bundle: &CompiledBundle, made: Vec<Made>, whole: u64) -> Vec<Patch> {
    let worth = made.into_iter().filter(|made| (made.bytes.len() as u64) < whole / 2);
    let storing = worth.map(async |made| {
        let from = made.from;
        store_one(publisher, bundle, made).await.map_err(|error| warn(bundle, from, &error)).ok()
    });
    a_few_at_a_time(storing.collect()).await.into_iter().flatten().collect()
}

async fn store_one(publisher: &Publisher, bundle: &CompiledBundle, made: Made) -> Result<Patch, archived::PatchFault> {
    let (summary, from) = (bundle.summary, made.from);
    let path = StorePath::Patch { app: bundle.app.clone(), digest: summary.digest, base: from };
    let window_log = patch_window_log(summary.size);
    let ours = match publisher.store.create(&path, made.bytes.clone()).await? {
        Created::New | Created::Same => made.bytes,
        // An earlier start made another one of the same, or somebody planted something.
        Created::Taken(standing) => {
            let base = archived::archived(publisher, &bundle.app, from).await?;
            let checked = blocking(move || {
                content::check_against(&standing, &base, &summary.digest, summary.size, window_log).map(|()| standing)
            });
            checked.await?
        }
    };
    fail::fail_point!("publish-patch-stored");
    let patch = Patch { from, size: ours.len() as u64, window_log, sha256: Digest::of(&ours) };
    archived::read_patch(publisher, path, &patch).await.map(|_as_it_was_written| patch)
}

/// Whether every patch in `patches` stands in the store as it says and makes the bundle of what it is against.
pub(super) async fn hold(
    publisher: &Publisher,
    app: &schema::App,
    (digest, size): (Digest, u64),
    patches: &[Patch],
) -> Result<(), archived::PatchFault> {
    for patch in patches {
        let path = StorePath::Patch { app: app.clone(), digest, base: patch.from };
        if patch.window_log > Limits::DEFAULT.patch_window_log_max {
            return Err(archived::PatchFault::Window(patch.window_log));
        }
        let bytes = archived::read_patch(publisher, path, patch).await?;
        let base = archived::archived(publisher, app, patch.from).await?;
        let window_log = patch.window_log;
        blocking(move || content::check_against(&bytes, &base, &digest, size, window_log)).await?;
    }
    Ok(())
}

fn warn(bundle: &CompiledBundle, from: Digest, error: &(dyn std::error::Error + 'static)) {
    let (app, digest) = (&bundle.app, bundle.summary.digest);
    let said = crate::causes(error).join(": ");
    tracing::warn!(%app, bundle = %digest, "No patch from bundle {} to {} of app {app}: {said}", from.short(), digest.short());
}
