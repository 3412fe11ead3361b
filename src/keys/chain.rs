//! The trust roots of a store, in order.

use schema::{Limits, StorePath, TrustRoot, Verified};
use store::Store;

use crate::exit::{Code, Failure};

/// Every root that follows `first` in `store`, `first` among them: each signed as every reader asks for.
///
/// # Errors
/// Where the store cannot be read, or what stands next is no successor: somebody has to look at that before anything is signed.
pub(super) async fn walk(store: &Store, first: Verified<TrustRoot>) -> Result<Vec<Verified<TrustRoot>>, Failure> {
    let mut chain = vec![first];
    for _ in 0..Limits::DEFAULT.root_hops_max {
        let newest = chain.last().expect("the first root is in it");
        let Some(version) = newest.version.checked_add(1) else { break };
        let path = StorePath::Root { version };
        let Some(object) = read(store, &path).await? else { break };
        let next = newest.successor(object, &Limits::DEFAULT).map_err(|error| {
            let hint = format!("look at {path} in {store}: whoever wrote it does not hold the root keys");
            Failure::new(Code::Refused, error).hint(hint)
        })?;
        chain.push(next);
    }
    Ok(chain)
}

/// The bytes at `path`, if anything stands there.
pub(super) async fn read(store: &Store, path: &StorePath) -> Result<Option<bytes::Bytes>, Failure> {
    let object = store.read(path, Limits::DEFAULT.root_max_bytes).await.map_err(of_store)?;
    Ok(object.map(|object| object.bytes))
}

/// A store's error under its exit code.
pub(super) fn of_store(error: store::StoreError) -> Failure {
    let code = if error.is_retryable() { Code::Unreachable } else { Code::Unexpected };
    Failure::new(code, error)
}
