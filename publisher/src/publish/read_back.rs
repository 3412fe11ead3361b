//! Third step: bundle and manifest are in the store and were read from it again. No pointer names anything else (BEFORE).

use std::sync::Arc;
use std::time::Instant;

use schema::{App, Digest, Limits, Manifest, StorePath, Target, Verified};
use store::StoreError;

use super::archived::stands;
use super::bundle_error::{BundleError, BundleFault};
use super::content::{self, ContentFault};
use super::kept::Proven;
use super::manifest::{Found, check_allowed, find};
use super::pieces::Pieces;
use super::place::{PlacedBundle, Wanted};
use super::report::Waiting;
use super::reseal::again;
use super::seal::{Sealing, awaiting, join, manifest_path, payload_of, seal};
use super::sign::patches_of;
use super::{Ancestry, a_few_at_a_time};
use crate::blocking::blocking;
use crate::keys::Role;
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

/// What came of storing a bundle.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// It is there, signed by as many as must, and was read back.
    Stored(StoredBundle),
    /// It waits for others to sign.
    Waiting(Waiting),
}

/// Makes sure that the store has the bundle and its manifest, and reads both back.
///
/// A bundle that was published before is found as it is and nothing is uploaded, whichever commit asks for it.
pub(super) async fn store_bundle(
    publisher: &Publisher,
    commit: &VerifiedCommit,
    ancestry: &Arc<dyn Ancestry>,
    wanted: Wanted,
) -> Result<Standing, BundleError> {
    let (app, digest) = (wanted.bundle.app.clone(), wanted.bundle.summary.digest);
    match seal_bundle(publisher, commit, ancestry, wanted).await? {
        None => {
            let began = Instant::now();
            let stored = read_back(publisher, &app, &digest).await?;
            tracing::debug!(%app, took = ?began.elapsed(), "Read bundle {} back", digest.short());
            Ok(Standing::Stored(stored))
        }
        Some(waiting) => Ok(Standing::Waiting(waiting)),
    }
}

/// As [`store_bundle`], for those who sign and point to nothing: without reading back what is signed already. What it waits for,
/// if it does.
pub(crate) async fn seal_bundle(
    publisher: &Publisher,
    commit: &VerifiedCommit,
    ancestry: &Arc<dyn Ancestry>,
    wanted: Wanted,
) -> Result<Option<Waiting>, BundleError> {
    let (app, digest) = (wanted.bundle.app.clone(), wanted.bundle.summary.digest);
    let sealing = make_sealed(publisher, commit, ancestry, wanted).await;
    match sealing.map_err(|fault| BundleError { app: app.clone(), digest, fault })? {
        Sealing::Complete => Ok(None),
        Sealing::Awaiting { signed, threshold } => Ok(Some(Waiting { app, digest, signed, threshold })),
    }
}

async fn make_sealed(
    publisher: &Publisher,
    commit: &VerifiedCommit,
    ancestry: &Arc<dyn Ancestry>,
    wanted: Wanted,
) -> Result<Sealing, BundleFault> {
    let (app, digest) = (wanted.bundle.app.clone(), wanted.bundle.summary.digest);
    let signs = publisher.duty.has(Role::Release);
    let (path, former) = match find(publisher, &app, &digest).await? {
        Found::Sealed(_) => return Ok(Sealing::Complete),
        Found::Former(manifest) => (again(publisher, &app, &digest), Some(manifest)),
        Found::Absent => (manifest_path(&app, &digest), None),
    };
    if !signs {
        return join(publisher, &Pieces::read(publisher, &app, &digest).await?, &path).await;
    }
    let payload = former.as_ref().map(Verified::payload_digest);
    if let Some((awaiting, manifest)) = awaiting(publisher, &app, &digest, payload).await? {
        // What was lost meanwhile is stored again: the others need it.
        if all_stand(publisher, &manifest).await? {
            return Ok(awaiting);
        }
    }
    if let Some(manifest) = former {
        // We compiled these bytes ourselves, so whatever the old keys were up to, they are what the commit says.
        check_allowed(publisher.root(), &manifest)?;
        if manifest.release_seq > commit.release_seq() {
            return Err(BundleFault::Ahead { release_seq: manifest.release_seq, commit: commit.release_seq() });
        }
        check_frame(publisher, &manifest).await?;
        return seal(publisher, payload_of(&manifest), &path).await;
    }
    // A crash from here on leaves at most a frame and patches that no manifest names: the next start finds their content right.
    let placed = PlacedBundle::place(publisher, wanted, ancestry).await?;
    let Some(placed) = placed else { return Ok(nothing_offered(publisher)) };
    // A crash from here on leaves at most a manifest that no pointer names: the next start finds it signed.
    match placed.payload(publisher, commit, ancestry).await? {
        Some(payload) => seal(publisher, payload, &path).await,
        None => Ok(nothing_offered(publisher)),
    }
}

/// Whether the store has what `manifest` lists: the frame, and each patch.
async fn all_stand(publisher: &Publisher, manifest: &Manifest) -> Result<bool, StoreError> {
    let (app, digest) = (&manifest.app, manifest.digest);
    let patches = patches_of(manifest).unwrap_or_default().into_iter();
    let patches = patches.map(|patch| StorePath::Patch { app: app.clone(), digest, base: patch.from });
    let needed: Vec<StorePath> = patches.chain([StorePath::Bundle { app: app.clone(), digest }]).collect();
    let looks = needed.iter().map(|object| stands(publisher, object)).collect();
    let stand: Result<Vec<bool>, _> = a_few_at_a_time(looks).await.into_iter().collect();
    Ok(stand?.into_iter().all(|stands| stands))
}

fn nothing_offered(publisher: &Publisher) -> Sealing {
    Sealing::Awaiting { signed: 0, threshold: publisher.root().release.threshold() }
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
    let manifest = match find(publisher, app, digest).await? {
        Found::Sealed(manifest) => manifest,
        Found::Former(_) => return Err(BundleFault::Unsealed),
        Found::Absent => return Err(BundleFault::Absent { object: Box::new(manifest_path(app, digest)) }),
    };
    check_allowed(publisher.root(), &manifest)?;
    check_frame(publisher, &manifest).await?;
    Ok(StoredBundle { manifest: Arc::new(manifest) })
}

/// Reads the bundle and holds it against its manifest, and what is in it against its name.
///
/// What is in it is known of a frame that this process made of that archive, or decompressed before: the bytes are read and hashed
/// all the same, and bytes of the same sha256 have the same content.
pub(super) async fn check_frame(publisher: &Publisher, manifest: &Manifest) -> Result<(), BundleFault> {
    let path = StorePath::Bundle { app: manifest.app.clone(), digest: manifest.digest };
    let read = publisher.store.read(&path, Limits::DEFAULT.bundle_compressed_max_bytes).await?;
    let Some(frame) = read else { return Err(BundleFault::Absent { object: Box::new(path) }) };
    let (digest, size, whole) = (manifest.digest, manifest.size, *manifest.whole());
    let kept = publisher.kept.clone();
    let checked = blocking(move || {
        // The same bytes as those that were hashed when they were made need not be hashed again.
        let made = kept.take_made(digest);
        let is_made = made.is_some_and(|(made, sha256)| sha256 == whole.sha256 && made == frame.bytes);
        if frame.bytes.len() as u64 != whole.size || !(is_made || Digest::of(&frame.bytes) == whole.sha256) {
            return Err(ContentFault::OtherFrame);
        }
        let holds = Proven { digest, size, frame: whole.sha256 };
        if !kept.has_proven(&holds) {
            content::check(&frame.bytes, &digest, size)?;
            kept.prove(holds);
        }
        Ok(())
    });
    checked.await.map_err(|source| BundleFault::DamagedBundle { object: Box::new(path), source })
}
