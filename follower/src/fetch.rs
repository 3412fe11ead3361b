//! Fetches a small document: a manifest, a trust root, a history record.
//!
//! In: a store path, a limit, the caller's check. Out: what the check made of the first bytes that passed it.

use std::error::Error;

use bytes::Bytes;
use schema::StorePath;
use tracing::warn;

use crate::failure::{Failures, Reason};
use crate::mirrors::{Mirrors, Purpose};

/// Says that no base URL gave what was asked for.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` could not be fetched: {failures}")]
pub struct FetchError<E: Error + 'static> {
    /// What was asked for.
    pub path: StorePath,
    /// Why each base URL did not give it.
    pub failures: Failures<E>,
}

impl<E: Error + 'static> FetchError<E> {
    /// Whether every base URL answered that it has no such object. All of them may lie: it is a reason to stop asking for
    /// a next trust root, never one to remove anything.
    pub fn is_absent(&self) -> bool {
        self.failures.are_absences()
    }
}

impl Mirrors {
    /// Fetches the object at `path` into memory, from the first base URL whose bytes pass `check`.
    ///
    /// `check` gets complete bytes, at most `max_bytes` of them, and a refusal of its own counts as that base URL's
    /// failure. No more than `max_bytes` + 1 are believed to exist: a longer body is given up when that shows.
    ///
    /// # Errors
    /// [`FetchError`], when each base URL has been asked once. Asking again is worth it, after a pause.
    pub async fn fetch<T, E: Error + 'static>(
        &self,
        path: &StorePath,
        max_bytes: u64,
        mut check: impl FnMut(Bytes) -> Result<T, E>,
    ) -> Result<T, FetchError<E>> {
        let mut failures = Failures::none();
        for place in self.order(Purpose::Fetching) {
            let base = &self.bases()[place];
            let fetched = async { self.open(base.object(path), max_bytes).await?.whole().await }.await;
            let reason = match fetched.map(&mut check) {
                Ok(Ok(good)) => {
                    self.worked(Purpose::Fetching, place);
                    if !failures.is_empty() {
                        warn!(%path, %base, "Fetched {path} from {base} after others failed: {failures}");
                    }
                    return Ok(good);
                }
                Ok(Err(refusal)) => Reason::Refused(refusal),
                Err(fault) => Reason::Fault(fault),
            };
            // Whoever has no next trust root is no worse for it.
            if !reason.is_absent() {
                self.failed(Purpose::Fetching, place);
            }
            failures.add(base, reason);
        }
        Err(FetchError { path: path.clone(), failures })
    }
}
