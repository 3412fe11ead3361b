//! Where objects come from: a store, or base URLs of somebody who serves one.
//!
//! In: a store path and a check. Out: bytes that passed it, or that there certainly is no such object, or one
//! [`SourceError`]. Knows nothing of what is relayed or kept.

use std::error::Error;

use bytes::Bytes;
use follower::{DownloadError, Expected, FetchError, Mirrors};
use schema::{Digest, StorePath};
use store::{Store, StoreError};

/// A store or an upstream.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Store(Store),
    Upstream(Mirrors),
}

/// Says why a source gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError<E: Error + 'static> {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Upstream(FetchError<E>),
    #[error(transparent)]
    Download(DownloadError),
    #[error("`{path}` in store `{store}` was refused")]
    Refused {
        path: StorePath,
        store: String,
        #[source]
        wrong: E,
    },
}

/// Says that the bytes of a bundle are not those that were signed.
#[derive(Debug, thiserror::Error)]
#[error("{received} bytes of sha256 {sha256} came for {} bytes of sha256 {}", expected.size, expected.sha256)]
pub(crate) struct NotAsSigned {
    received: usize,
    sha256: Digest,
    expected: Expected,
}

impl Source {
    /// Its name for people; never carries credentials.
    pub(crate) fn name(&self) -> String {
        match self {
            Source::Store(store) => store.to_string(),
            Source::Upstream(mirrors) => {
                let bases: Vec<String> = mirrors.bases().iter().map(ToString::to_string).collect();
                bases.join(", ")
            }
        }
    }

    /// Fetches a small document and gives what `check` made of it; nothing where it certainly is absent.
    ///
    /// # Errors
    /// [`SourceError`]; from an upstream only when every base URL was asked.
    pub(crate) async fn document<T, E: Error + 'static>(
        &self,
        path: &StorePath,
        max_bytes: u64,
        mut check: impl FnMut(Bytes) -> Result<T, E>,
    ) -> Result<Option<T>, SourceError<E>> {
        match self {
            Source::Store(store) => {
                let Some(object) = store.read(path, max_bytes).await? else { return Ok(None) };
                let refused = |wrong| SourceError::Refused { path: path.clone(), store: store.to_string(), wrong };
                check(object.bytes).map(Some).map_err(refused)
            }
            Source::Upstream(mirrors) => match mirrors.fetch(path, max_bytes, check).await {
                Ok(good) => Ok(Some(good)),
                Err(error) if error.is_absent() => Ok(None),
                Err(error) => Err(SourceError::Upstream(error)),
            },
        }
    }

    /// Fetches a bundle or a patch whole, and takes it only if its bytes are the ones that were signed.
    ///
    /// # Errors
    /// [`SourceError`]; from an upstream only when every base URL was asked.
    pub(crate) async fn blob(
        &self,
        path: &StorePath,
        expected: Expected,
    ) -> Result<Option<Bytes>, SourceError<NotAsSigned>> {
        match self {
            Source::Store(store) => {
                let Some(object) = store.read(path, expected.size).await? else { return Ok(None) };
                let bytes = object.bytes.clone();
                let sha256 = tokio::task::spawn_blocking(move || Digest::of(&bytes)).await;
                let sha256 = sha256.expect("hashing does not panic, and the runtime outlives its tasks");
                let received = object.bytes.len();
                if received as u64 != expected.size || sha256 != expected.sha256 {
                    let wrong = NotAsSigned { received, sha256, expected };
                    return Err(SourceError::Refused { path: path.clone(), store: store.to_string(), wrong });
                }
                Ok(Some(object.bytes))
            }
            Source::Upstream(mirrors) => match mirrors.download(path, expected, Vec::new()).await {
                Ok(downloaded) => Ok(Some(downloaded.sink.into())),
                Err(DownloadError::Unavailable { failures, .. }) if failures.are_absences() => Ok(None),
                Err(error) => Err(SourceError::Download(error)),
            },
        }
    }

    /// The store, if its objects are files of this host: those are streamed as they are.
    pub(crate) fn directory(&self) -> Option<&Store> {
        match self {
            Source::Store(store) => store.local_path().map(|_| store),
            Source::Upstream(_) => None,
        }
    }
}
