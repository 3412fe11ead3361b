//! The immutable objects that a gateway relays: trust roots, manifests, history records, bundles and patches.
//!
//! An object is verified before it is served, fetched once however many ask for it at a time, and kept in bounded memory, which all
//! who are sent it share. Only what is large and lies in a directory of this host is read from its file for each of them, as it is:
//! agents verify it anyhow, and only so many are sent one at a time. History records and trust roots from before the pinned one
//! can be checked for their form only, so they are never kept: who forged one of those would be believed here for as long.

mod cache;
mod check;
mod flight;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use follower::Expected;
use schema::manifest::{Encoding, Manifest};
use schema::{App, Digest, Limits, StorePath, Verified};
use store::{Store, Streamed};
use tokio::time::timeout;

use crate::http::ETag;
use crate::metrics::Counted;
use crate::view::View;
use cache::Cache;
use check::Unfit;
use flight::{Flights, Keep, Landed};
pub(crate) use streams::Pieces;
use streams::Streams;

/// The objects of one source.
#[derive(Debug)]
pub(crate) struct Objects {
    view: Arc<View>,
    cache: Arc<Cache>,
    flights: Flights,
    /// What is larger is read from its file, where it has one.
    shared_max_bytes: u64,
    streams: Streams,
}

/// An object to answer with.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// All of it, verified.
    Kept(Kept),
    /// A large file of this host, not looked into.
    File(File),
}

/// A file of a directory store.
#[derive(Clone, Debug)]
pub(crate) struct File {
    store: Store,
    path: StorePath,
    size: u64,
    etag: ETag,
}

/// Bytes that were verified, and their tag.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) bytes: Bytes,
    pub(crate) etag: ETag,
}

/// Says why there is no object to answer with.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Miss {
    /// The source has no such object, or what it has is of no use to anyone.
    #[error("there is no such object")]
    Absent,
    /// The source could not be asked, or served what does not verify.
    #[error("the source gives no good copy: {0}")]
    Bad(Arc<str>),
    /// It is being fetched, and that takes longer than a client waits.
    #[error("the object is on its way")]
    OnItsWay,
    /// It is there, and as many are being sent large files as may be at a time.
    #[error("too many are being sent large objects")]
    Crowded,
}

impl Objects {
    /// Keeps about `cache_bytes` of them in memory, and lets `streams` clients read large files at a time.
    pub(crate) fn new(view: Arc<View>, cache_bytes: u64, streams: usize) -> Objects {
        Objects {
            view,
            cache: Arc::new(Cache::new(cache_bytes)),
            flights: Flights::default(),
            shared_max_bytes: cache_bytes / SHARED_FRACTION,
            streams: Streams::new(streams),
        }
    }

    /// Finds the immutable object at `path`.
    ///
    /// # Errors
    /// [`Miss`]; only [`Miss::Absent`] is the source's own statement.
    pub(crate) async fn find(&self, path: &StorePath) -> Result<Found, Miss> {
        match path {
            StorePath::Bundle { app, digest } | StorePath::Patch { app, digest, .. } => {
                self.blob(path, app, *digest).await
            }
            // The one object that is not immutable is on the board, never here.
            StorePath::Pointer { .. } => Err(Miss::Absent),
            StorePath::Root { version } if !self.view.trust.predates(*version) => {
                self.root(*version).await.map(Found::Kept)
            }
            StorePath::Manifest { app, digest } => self.manifest(path, app, *digest).await.map(Found::Kept),
            StorePath::Root { .. }
            | StorePath::Resealed { .. }
            | StorePath::Piece { .. }
            | StorePath::History { .. }
            | StorePath::Rollout { .. } => self.document(path).await.map(Found::Kept),
        }
    }

    /// A trust root as it was verified here. Never what merely stands at its path: anyone can sign a root of their own.
    async fn root(&self, version: u64) -> Result<Kept, Miss> {
        let root = timeout(PATIENCE, self.view.root(version)).await.map_err(|_elapsed| Miss::OnItsWay)?;
        let root = root.map_err(Miss::Bad)?.ok_or(Miss::Absent)?;
        Ok(Kept { etag: ETag::of(root.bytes()), bytes: root.bytes().clone() })
    }

    /// A manifest as it was sealed first or, where the keys that did are gone, as it was sealed again: the payload is the same.
    async fn manifest(&self, path: &StorePath, app: &App, digest: Digest) -> Result<Kept, Miss> {
        match self.document(path).await {
            Err(Miss::Bad(why)) => self.document(&self.resealed(app, digest)).await.map_err(|_| Miss::Bad(why)),
            found => found,
        }
    }

    /// Where the manifest is that was sealed for the release keys of the trust root in force.
    fn resealed(&self, app: &App, digest: Digest) -> StorePath {
        StorePath::Resealed { app: app.clone(), digest, role: self.view.trust.root().release.fingerprint() }
    }

    /// The manifest of a bundle, under the trust root in force: what was kept may have been sealed for one before it.
    pub(crate) async fn in_force(&self, app: &App, digest: Digest) -> Result<Verified<Manifest>, Miss> {
        let open = |kept: Kept| {
            Verified::<Manifest>::open(kept.bytes, &self.view.trust.root().release, &Limits::DEFAULT)
                .map_err(|error| Miss::bad(&Unfit::Seal(error)))
        };
        let path = StorePath::Manifest { app: app.clone(), digest };
        match open(self.manifest(&path, app, digest).await?) {
            Err(unsealed) => open(self.document(&self.resealed(app, digest)).await.map_err(|_| unsealed)?),
            manifest => manifest,
        }
    }

    async fn document(&self, path: &StorePath) -> Result<Kept, Miss> {
        if let Some(kept) = self.cache.get(path) {
            return Ok(kept);
        }
        let keep = match path {
            StorePath::Manifest { .. } | StorePath::Resealed { .. } => Keep::InCache,
            _ => Keep::Nowhere,
        };
        let (view, wanted) = (Arc::clone(&self.view), path.clone());
        let fetch = async move {
            let root = view.trust.root();
            let max_bytes = wanted.max_bytes(&Limits::DEFAULT);
            let found = view.source.document(&wanted, max_bytes, |bytes| check::check(&wanted, bytes, &root)).await;
            let kept = |bytes: Bytes| Kept { etag: ETag::of(&bytes), bytes };
            found.map(|found| found.map(kept)).map_err(|error| Miss::bad(&error))
        };
        land(self.flights.share(path, 0, &self.cache, keep, fetch)?).await
    }

    async fn blob(&self, path: &StorePath, app: &App, digest: Digest) -> Result<Found, Miss> {
        if let Some(kept) = self.cache.get(path) {
            return Ok(Found::Kept(kept));
        }
        let file = match self.view.source.directory() {
            Some(store) => Some(file(store, path).await?),
            None => None,
        };
        if let Some(large) = file.as_ref().filter(|file| file.size > self.shared_max_bytes) {
            return Ok(Found::File(large.clone()));
        }
        let manifest = self.in_force(app, digest).await?;
        // What the manifest does not name nobody may ask for.
        let expected = expected(&manifest, path).ok_or(Miss::Absent)?;
        let (view, wanted) = (Arc::clone(&self.view), path.clone());
        let fetch = async move {
            let found = view.source.blob(&wanted, expected).await;
            let kept = |bytes| Kept { bytes, etag: ETag::of_digest(expected.sha256) };
            found.map(|found| found.map(kept)).map_err(|error| Miss::bad(&error))
        };
        match (self.flights.share(path, expected.size, &self.cache, Keep::InCache, fetch), file) {
            // There is no room for it, but there is another way.
            (Err(Miss::OnItsWay), Some(file)) => Ok(Found::File(file)),
            (landed, _) => land(landed?).await.map(Found::Kept),
        }
    }

    /// Reads `len` bytes from `start` on of a file that was found, when it is its turn; see [`Streams::read`].
    pub(crate) async fn stream(
        &self,
        file: &File,
        start: u64,
        len: u64,
        counted: impl FnOnce() -> Counted,
    ) -> Result<Pieces, Miss> {
        self.streams.read(file, start, len, counted).await
    }

    /// Sends bytes of an object that is kept; see [`Streams::pace`].
    pub(crate) fn pace(&self, bytes: Bytes) -> Pieces {
        self.streams.pace(bytes)
    }
}

/// Waits, not for long, for one fetch that all who ask at a time share, and that goes on when nobody waits any more.
async fn land(landed: Landed) -> Result<Kept, Miss> {
    timeout(PATIENCE, landed).await.unwrap_or(Err(Miss::OnItsWay))
}

impl Miss {
    fn bad(error: &dyn std::error::Error) -> Miss {
        Miss::Bad(crate::causes::in_one_line(error).into())
    }
}

/// What was signed of the object at `path`, which `manifest` vouches for.
fn expected(manifest: &Manifest, path: &StorePath) -> Option<Expected> {
    match path {
        StorePath::Bundle { .. } => {
            let whole = manifest.whole();
            Some(Expected { size: whole.size, sha256: whole.sha256 })
        }
        StorePath::Patch { base, .. } => manifest.encodings.iter().find_map(|encoding| match encoding {
            Encoding::Patch(patch) if patch.from == *base => Some(Expected { size: patch.size, sha256: patch.sha256 }),
            _ => None,
        }),
        _ => None,
    }
    // A signed size is still a size that somebody else chose.
    .filter(|expected| expected.size <= Limits::DEFAULT.bundle_compressed_max_bytes)
}

async fn file(store: &Store, path: &StorePath) -> Result<File, Miss> {
    let opened = store.stream(path, None).await.map_err(|error| Miss::bad(&error))?;
    let Some(Streamed { size, .. }) = opened else { return Err(Miss::Absent) };
    // The bytes at an immutable path are the same for ever, so path and length name them without reading them.
    let etag = ETag::of(format!("{path} {size}").as_bytes());
    Ok(File { store: store.clone(), path: path.clone(), size, etag })
}

impl Found {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Found::Kept(kept) => kept.bytes.len() as u64,
            Found::File(file) => file.size,
        }
    }

    pub(crate) fn etag(&self) -> &ETag {
        match self {
            Found::Kept(kept) => &kept.etag,
            Found::File(file) => &file.etag,
        }
    }
}

/// Less than a client waits for the head of an answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// How many objects of the largest size that is shared fit into the cache.
const SHARED_FRACTION: u64 = 8;

#[cfg(test)]
pub(crate) mod tests;
