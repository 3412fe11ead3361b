//! What came of carrying a commit, or a refresh, to all its regions.

use schema::{App, Digest, Order, Region, Timestamp};

use crate::region::RegionError;

/// What happened, region by region. Regions that needed nothing are not listed.
#[derive(Debug, Default)]
pub struct Report {
    /// New generations.
    pub moved: Vec<Moved>,
    /// Pointers that were signed afresh.
    pub refreshed: Vec<Moved>,
    /// Regions that do not get their bundle because an operator took it back by hand.
    pub blocked: Vec<Blocked>,
    /// Regions that stay as they are though they should not.
    pub failed: Vec<RegionError>,
}

/// A pointer that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The app.
    pub app: App,
    /// The region.
    pub region: Region,
    /// The pointer's place in order.
    pub order: Order,
    /// The bundle that it names.
    pub digest: Digest,
    /// When it stood in the store.
    pub at: Timestamp,
}

/// A region whose operator took back what the tip asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blocked {
    /// The app.
    pub app: App,
    /// The region.
    pub region: Region,
    /// The bundle that was taken back.
    pub digest: Digest,
}

impl Report {
    pub(super) fn sort(&mut self) {
        let place = |moved: &Moved| (moved.app.clone(), moved.region.clone());
        self.moved.sort_by_key(place);
        self.refreshed.sort_by_key(place);
        self.blocked.sort();
        self.failed.sort_by_key(|failed| (failed.app.clone(), failed.region.clone()));
    }
}
