//! One publisher: a store, the trust roots that its readers trust, and the keys it signs with.
//!
//! In: these three, and which part of publishing they are for. Out: a handle that publishing, rolling back and reading history
//! share. Cheap to clone. Keeps nothing in memory that the store does not have, but what a store that lost it is held against,
//! and what saves work; so two of them over one store are as good as one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use schema::{App, Digest, Order, Region, Timestamp, TrustRoot, Verified};
use store::Store;

use crate::duty::Duty;
use crate::keys::Keys;
use crate::plan::Freshness;
use crate::publish::{Kept, PATCHES_MAX};
use crate::trust::Chain;

/// What is needed to publish into one store.
#[derive(Clone)]
pub struct Publisher {
    pub(crate) store: Store,
    pub(crate) roots: Arc<Chain>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) duty: Duty,
    pub(crate) freshness: Freshness,
    pub(crate) clock: Clock,
    /// What was published before, as far as is known: none of it may be missing from the store.
    pub(crate) remembered: Arc<Orders>,
    /// What it signed and others have yet to.
    pub(crate) agreed: Agreed,
    /// Against how many of the bundles that regions ran last patches are made.
    pub(crate) patches: usize,
    /// What it made lately.
    pub(crate) kept: Kept,
}

/// Against how many bundles patches are made unless told otherwise.
pub(crate) const PATCHES: usize = 4;

/// Payloads that this process found right in every field and signed, so that it need not find out again while it waits for other
/// signers. What its key signed in an earlier run, or in somebody else's hands, is not among them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agreed(Arc<Mutex<BTreeSet<Digest>>>);

impl Agreed {
    pub(crate) fn has(&self, payload: Digest) -> bool {
        self.payloads().contains(&payload)
    }

    pub(crate) fn add(&self, payload: Digest) {
        self.payloads().insert(payload);
    }

    fn payloads(&self) -> MutexGuard<'_, BTreeSet<Digest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest order of each app and region.
pub type Orders = BTreeMap<(App, Region), Order>;

/// Tells the time. Passed in, so that tests can be at any time they like.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

impl Publisher {
    /// Whether its keys suffice to release a bundle, so that there is nobody to agree with.
    pub(crate) fn releases_alone(&self) -> bool {
        let root = self.root();
        self.keys.for_release(root).len() >= root.release.threshold()
    }

    /// Puts the parts together, with the system's clock. Whether root and keys go together is found out by
    /// [`Publisher::follow_roots`].
    pub fn new(store: Store, pinned: Verified<TrustRoot>, keys: Keys, duty: Duty, freshness: Freshness) -> Publisher {
        let clock: Clock = Arc::new(|| SystemTime::now().into());
        let (roots, keys) = (Arc::new(Chain::of(pinned)), Arc::new(keys));
        Publisher {
            store,
            roots,
            keys,
            duty,
            freshness,
            clock,
            remembered: Arc::default(),
            agreed: Agreed::default(),
            patches: PATCHES,
            kept: Kept::default(),
        }
    }

    /// The same publisher by another clock.
    pub fn with_clock(self, clock: Clock) -> Publisher {
        Publisher { clock, ..self }
    }

    /// The same publisher, which makes patches against `patches` of the bundles that regions ran last, at most 16.
    pub fn with_patches(self, patches: usize) -> Publisher {
        Publisher { patches: patches.min(PATCHES_MAX), ..self }
    }

    /// The same publisher, which takes none of `orders` for a region that never was.
    pub(crate) fn remembering(self, orders: Orders) -> Publisher {
        Publisher { remembered: Arc::new(orders), ..self }
    }

    /// The same publisher, which knows of `orders` besides.
    pub(crate) fn remembering_also(self, orders: &Orders) -> Publisher {
        let mut all = Orders::clone(&self.remembered);
        all.extend(orders.iter().map(|(place, order)| (place.clone(), *order)));
        self.remembering(all)
    }

    /// The store that it publishes into.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The newest trust root that was reached.
    pub fn root(&self) -> &Verified<TrustRoot> {
        self.roots.newest()
    }

    /// All trust roots that were walked.
    pub fn roots(&self) -> &Chain {
        &self.roots
    }

    /// Which part of publishing it has.
    pub fn duty(&self) -> Duty {
        self.duty
    }

    /// Whether it has the keys that agents of `region` believe.
    pub(crate) fn signs_for(&self, region: &Region) -> bool {
        self.keys.for_pointer(self.root(), region).is_some()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
