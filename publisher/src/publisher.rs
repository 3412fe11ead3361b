//! One publisher: a store, the trust root that its readers trust, and the keys it signs with.
//!
//! In: these three, checked against each other. Out: a handle that publishing, rolling back and reading history share.
//! Cheap to clone. Keeps nothing in memory that the store does not have, so two of them over one store are as good as one.

use std::sync::Arc;
use std::time::SystemTime;

use schema::{Timestamp, TrustRoot, Verified};
use store::Store;

use crate::keys::{Keys, UntrustedKey};
use crate::plan::Freshness;

/// What is needed to publish into one store.
#[derive(Clone)]
pub struct Publisher {
    pub(crate) store: Store,
    pub(crate) root: Arc<Verified<TrustRoot>>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) freshness: Freshness,
    pub(crate) clock: Clock,
}

/// Tells the time. Passed in, so that tests can be at any time they like.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

impl Publisher {
    /// Puts the parts together, with the system's clock.
    ///
    /// # Errors
    /// [`UntrustedKey`] where agents that trust `root` would refuse what `keys` sign.
    pub fn new(
        store: Store,
        root: Verified<TrustRoot>,
        keys: Keys,
        freshness: Freshness,
    ) -> Result<Publisher, UntrustedKey> {
        keys.fit(&root)?;
        let clock: Clock = Arc::new(|| SystemTime::now().into());
        Ok(Publisher { store, root: Arc::new(root), keys: Arc::new(keys), freshness, clock })
    }

    /// The same publisher by another clock.
    pub fn with_clock(self, clock: Clock) -> Publisher {
        Publisher { clock, ..self }
    }

    /// The store that it publishes into.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The trust root that it publishes under.
    pub fn root(&self) -> &Verified<TrustRoot> {
        &self.root
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
