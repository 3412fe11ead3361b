//! A cache of a CDN: gives what it has for a while, and then asks once for all who wait.

use std::collections::HashSet;

use crate::clock::Moment;
use crate::followers::Follower;
use crate::gateway::Object;

/// One cache.
#[derive(Default)]
pub(crate) struct Cache {
    /// Objects it has: they never change.
    pub(crate) objects: HashSet<Object>,
    pages: Vec<Page>,
}

/// A pointer in a cache.
#[derive(Clone, Default)]
pub(crate) struct Page {
    pub(crate) version: u32,
    /// When it was last known to be the newest.
    pub(crate) checked: Moment,
    /// Who waits for an answer from behind.
    pub(crate) waiting: Vec<Follower>,
}

impl Cache {
    pub(crate) fn new(regions: usize) -> Cache {
        Cache { objects: HashSet::new(), pages: vec![Page::default(); regions] }
    }

    pub(crate) fn page(&mut self, region: usize) -> &mut Page {
        &mut self.pages[region]
    }
}
