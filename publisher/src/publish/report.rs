//! What came of carrying a commit, or a refresh, to all its regions.

use std::collections::BTreeSet;
use std::fmt;

use schema::{App, Digest, Order, Region, RolloutId, Timestamp};

use crate::plan::Held;
use crate::publisher::Orders;
use crate::region::RegionError;

/// What happened, region by region. Regions that needed nothing are not listed.
#[derive(Debug, Default)]
pub struct Report {
    /// New generations.
    pub moved: Vec<Moved>,
    /// Pointers that were signed afresh.
    pub refreshed: Vec<Moved>,
    /// Rollouts that began: they bring what is new to their regions.
    pub begun: Vec<Begun>,
    /// Regions that do not get their bundle, or not for now.
    pub blocked: Vec<Blocked>,
    /// Bundles that no pointer may name before others have signed their manifests. Where there are any, nothing moved.
    pub waiting: Vec<Waiting>,
    /// Regions whose pointers others sign: this publisher has no key that their agents believe.
    pub elsewhere: BTreeSet<Region>,
    /// Regions that stay as they are though they should not.
    pub failed: Vec<RegionError>,
    /// What each region is at now, as far as it was looked at.
    pub orders: Orders,
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

/// A rollout that began.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Begun {
    /// The app.
    pub app: App,
    /// The rollout.
    pub id: RolloutId,
}

/// A region that does not get what the tip asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blocked {
    /// The app.
    pub app: App,
    /// The region.
    pub region: Region,
    /// The bundle.
    pub digest: Digest,
    /// Why.
    pub why: Held,
}

/// A bundle whose manifest too few have signed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// The app.
    pub app: App,
    /// The bundle.
    pub digest: Digest,
    /// How many release keys have signed its manifest.
    pub signed: usize,
    /// How many must.
    pub threshold: usize,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Waiting { app, digest, signed, threshold } = self;
        let missing = threshold.saturating_sub(*signed);
        let signatures = if missing == 1 { "signature" } else { "signatures" };
        let bundle = digest.short();
        write!(
            f,
            "bundle {bundle} of app `{app}` waits for {missing} more release {signatures} ({signed} of {threshold})"
        )
    }
}

impl Report {
    /// A report of nothing but `waiting`.
    pub(crate) fn waiting(mut waiting: Vec<Waiting>) -> Report {
        waiting.sort();
        waiting.dedup();
        Report { waiting, ..Report::default() }
    }

    /// Whether nothing of the commit is left to do but what rollouts do that are under way.
    pub fn is_handed_over(&self) -> bool {
        self.failed.is_empty()
            && self.waiting.is_empty()
            && !self.blocked.iter().any(|blocked| blocked.why.is_pending())
    }

    /// Both reports in one.
    pub(super) fn and(mut self, other: Report) -> Report {
        let Report { moved, refreshed, begun, blocked, waiting, elsewhere, failed, orders } = other;
        self.moved.extend(moved);
        self.refreshed.extend(refreshed);
        self.begun.extend(begun);
        self.blocked.extend(blocked);
        self.waiting.extend(waiting);
        self.elsewhere.extend(elsewhere);
        self.failed.extend(failed);
        self.orders.extend(orders);
        self.sort();
        self
    }

    pub(super) fn sort(&mut self) {
        let place = |moved: &Moved| (moved.app.clone(), moved.region.clone());
        self.moved.sort_by_key(place);
        self.refreshed.sort_by_key(place);
        self.begun.sort();
        self.blocked.sort();
        self.waiting.sort();
        self.waiting.dedup();
        self.failed.sort_by_key(|failed| (failed.app.clone(), failed.region.clone()));
    }
}
