//! What a pointer belongs to: one app in one region.

use std::fmt;

use schema::{App, Region, StorePath};

/// One app in one region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pair {
    pub(crate) app: App,
    pub(crate) region: Region,
}

impl Pair {
    /// Where its pointer is in a store.
    pub(crate) fn pointer_path(&self) -> StorePath {
        StorePath::Pointer { app: self.app.clone(), region: self.region.clone() }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.region)
    }
}
