//! Fetches a small document from whoever has it: the next trust root, which somebody may be keeping back.
//!
//! In: a store path, a limit, a deadline for each base URL, the caller's check. Out: what the check made of the first bytes
//! that passed it. `fetch.rs` asks one base URL after the other, which costs less; here all are asked at once, so that
//! nobody who stalls, or says that there is no such object, can keep it from somebody who waits for a short time only.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use schema::StorePath;
use tokio::time::timeout;
use tracing::warn;

use crate::failure::{Failures, Reason};
use crate::fault::Fault;
use crate::fetch::FetchError;
use crate::mirrors::{Mirrors, Purpose};

impl Mirrors {
    /// Fetches the object at `path` into memory, from whichever base URL first sends bytes that pass `check`; all are asked
    /// at once, and each has `within` to send all of it.
    ///
    /// For each base URL up to `max_bytes` are held in memory. A base URL that answers that it has no such object ends
    /// nothing, so an object that only one of them has is found; who has not sent it by then is asked no further.
    ///
    /// # Errors
    /// [`FetchError`], when each base URL has said no, sent something else, or taken longer than `within`: so after
    /// about that long, at the latest.
    pub async fn search<T, E: Error + 'static>(
        &self,
        path: &StorePath,
        max_bytes: u64,
        within: Duration,
        mut check: impl FnMut(Bytes) -> Result<T, E>,
    ) -> Result<T, FetchError<E>> {
        let ask = |place: usize| async move {
            let target = self.bases()[place].object(path);
            let fetched = timeout(within, async { self.open(target, max_bytes).await?.whole().await }).await;
            (place, fetched.unwrap_or(Err(Fault::Late { within })))
        };
        let mut asked: FuturesUnordered<_> = (0..self.bases().len()).map(ask).collect();
        let mut reasons = Vec::new();
        while let Some((place, fetched)) = asked.next().await {
            let reason = match fetched.map(&mut check) {
                Ok(Ok(good)) => {
                    self.worked(Purpose::Fetching, place);
                    if reasons.iter().any(|(_, reason): &(_, Reason<E>)| !reason.is_absent()) {
                        let base = &self.bases()[place];
                        let failures = self.in_list_order(reasons);
                        warn!(%path, %base, "Found {path} at {base} after others failed: {failures}");
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
            reasons.push((place, reason));
        }
        Err(FetchError { path: path.clone(), failures: self.in_list_order(reasons) })
    }

    /// Who answers first is chance, and should not change what is logged.
    fn in_list_order<E>(&self, mut reasons: Vec<(usize, Reason<E>)>) -> Failures<E> {
        reasons.sort_by_key(|(place, _)| *place);
        let mut failures = Failures::none();
        for (place, reason) in reasons {
            failures.add(&self.bases()[place], reason);
        }
        failures
    }
}
