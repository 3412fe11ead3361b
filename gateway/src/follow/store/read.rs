//! Reads one pointer if it changed, or lists them all.

use std::time::Duration;

use schema::{Limits, StorePath};
use store::{Read, Store, StoreError};
use tokio::time::timeout;

use crate::clock;
use crate::health::Subject;
use crate::pair::Pair;
use crate::view::View;

/// What the store called the bytes that were read; nothing where they are to be read again in any case.
pub(super) type Etag = Option<String>;

/// Says why nothing was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRead {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{what} was not there within {} s", within.as_secs())]
    TooSlow { what: String, within: Duration },
}

/// Says that a pointer which was there is there no more.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` is gone from the store; the last one is served on")]
struct Gone {
    path: StorePath,
}

/// Finds every app and region.
pub(super) async fn list(store: &Store) -> Result<Vec<Pair>, NotRead> {
    let listing = async {
        let mut pairs = Vec::new();
        for app in store.apps().await? {
            let regions = store.regions(&app).await?;
            pairs.extend(regions.into_iter().map(|region| Pair { app: app.clone(), region }));
        }
        Ok(pairs)
    };
    let too_slow = |_elapsed| NotRead::TooSlow { what: "the listing".to_owned(), within: LIST_WITHIN };
    timeout(LIST_WITHIN, listing).await.map_err(too_slow)?.map_err(NotRead::Store)
}

/// Takes the pointer of `pair` over into `view` if it is not the one that `etag` names, and gives what to ask with the next
/// time. What is wrong with it is noted as trouble.
pub(super) async fn read(store: &Store, view: &View, pair: &Pair, etag: Etag) -> Result<Etag, NotRead> {
    let (health, subject) = (&view.health, Subject::Pointer(pair.clone()));
    let path = pair.pointer_path();
    let reading = store.read_if_changed(&path, Limits::DEFAULT.pointer_max_bytes, etag.as_deref());
    let read = match timeout(READ_WITHIN, reading).await {
        Ok(read) => read.map_err(NotRead::Store),
        Err(_elapsed) => Err(NotRead::TooSlow { what: format!("`{path}`"), within: READ_WITHIN }),
    };
    let read = read.inspect_err(|error| health.trouble(subject.clone(), error))?;
    let now = clock::now();
    health.answered(now);
    match read {
        Read::Unchanged => {
            health.fine(&subject);
            if let Some(slot) = view.board.slot(pair) {
                slot.confirm(now);
            }
            Ok(etag)
        }
        Read::Absent => {
            match view.board.slot(pair) {
                // No instruction to anyone: what is posted stays.
                Some(_) => health.trouble(subject, &Gone { path }),
                // History without a pointer: a first publication that is not finished.
                None => health.fine(&subject),
            }
            Ok(None)
        }
        // Where it was refused it is read again the next time: a newer trust root may make it acceptable.
        Read::Object(object) => Ok(view.take(pair, object.bytes).await.ok().and(object.etag)),
    }
}

const READ_WITHIN: Duration = Duration::from_secs(10);
const LIST_WITHIN: Duration = Duration::from_secs(30);
