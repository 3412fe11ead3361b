//! Who is told when there is something new to see, by a call that must not block.

use std::fmt;
use std::sync::{PoisonError, RwLock};

type Bell = Box<dyn Fn() + Send + Sync>;

/// Bells that are rung together. There is one for each shard of the lot, so they are few.
#[derive(Default)]
pub(super) struct Bells(RwLock<Vec<Bell>>);

impl Bells {
    pub(super) fn hang(&self, bell: impl Fn() + Send + Sync + 'static) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(bell));
    }

    pub(super) fn ring(&self) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|bell| bell());
    }
}

impl fmt::Debug for Bells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bells").finish_non_exhaustive()
    }
}
