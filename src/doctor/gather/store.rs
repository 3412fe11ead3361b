//! What the store has: the roots that follow, and the pointers.

use schema::{App, Limits, Pointer, Region, StorePath, TrustRoot, Verified};
use store::{Store, StoreUrl};

use super::in_words;
use crate::doctor::facts::{PointerFact, StoreFacts};

/// Opens the store, but does not make the directory of one that is not there.
pub(super) fn open(url: &StoreUrl) -> Result<Store, String> {
    if let Some(path) = url.local_path().filter(|path| !path.is_dir()) {
        return Err(format!("there is no folder {}", path.display()));
    }
    Store::open(url).map_err(|error| in_words(&error))
}

/// The last root that follows from `pinned`, and why what stands after it does not.
pub(super) async fn newest_root(store: &Store, pinned: Verified<TrustRoot>) -> (Verified<TrustRoot>, Option<String>) {
    let mut newest = pinned;
    for _ in 0..Limits::DEFAULT.root_hops_max {
        let Some(version) = newest.version.checked_add(1) else { break };
        // A store that is away is told elsewhere.
        let read = store.read(&StorePath::Root { version }, Limits::DEFAULT.root_max_bytes).await;
        let Ok(Some(object)) = read else { break };
        match newest.successor(object.bytes, &Limits::DEFAULT) {
            Ok(next) => newest = next,
            Err(error) => return (newest, Some(in_words(&error))),
        }
    }
    (newest, None)
}

/// The pointers, each opened as agents do that have reached `root`.
pub(super) async fn look(store: &Store, root: Option<&TrustRoot>) -> Result<StoreFacts, String> {
    let mut facts = StoreFacts::default();
    for app in store.apps().await.map_err(|error| in_words(&error))? {
        for region in store.regions(&app).await.map_err(|error| in_words(&error))? {
            if facts.pointers.len() >= POINTERS_MAX {
                facts.passed_over += 1;
                continue;
            }
            facts.pointers.extend(pointer(store, root, &app, &region).await?);
        }
    }
    Ok(facts)
}

async fn pointer(
    store: &Store,
    root: Option<&TrustRoot>,
    app: &App,
    region: &Region,
) -> Result<Option<PointerFact>, String> {
    let path = StorePath::Pointer { app: app.clone(), region: region.clone() };
    let read = store.read(&path, Limits::DEFAULT.pointer_max_bytes).await.map_err(|error| in_words(&error))?;
    // Without a root there is nobody to say whose signature counts, and that is told already.
    let (Some(object), Some(root)) = (read, root) else { return Ok(None) };
    let opened = Verified::<Pointer>::open(object.bytes, root.pointer_keys(region), &Limits::DEFAULT);
    let term = match opened {
        Ok(pointer) if pointer.epoch != root.epoch => {
            Err(format!("it is of epoch {}, and the root of epoch {}", pointer.epoch, root.epoch))
        }
        Ok(pointer) => Ok((pointer.issued, pointer.expires)),
        Err(error) => Err(in_words(&error)),
    };
    Ok(Some(PointerFact { app: app.clone(), region: region.clone(), term }))
}

const POINTERS_MAX: usize = 500;
