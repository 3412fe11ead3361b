//! What a rollout's next step rests on besides its own record.

use std::collections::BTreeMap;
use std::time::Duration;

use schema::fleet::AgentReport;
use schema::{Pointer, Region, Timestamp};

/// What is seen at one moment.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// The regions of the rollout. One that is missing is waited for.
    pub regions: BTreeMap<&'a Region, RegionView<'a>>,
    /// What the checks said within the last few seconds, by name. One that is missing was not asked yet.
    pub checks: &'a BTreeMap<Box<str>, CheckVerdict>,
    /// Since when agents could be heard without a break; none: nobody can answer here.
    pub listening_since: Option<Timestamp>,
    /// How many agents the app's last rollout counted in these regions; zero where there was none.
    pub last_fleet: u64,
}

/// One region at that moment.
#[derive(Clone, Copy, Debug)]
pub struct RegionView<'a> {
    /// Its newest pointer.
    pub pointer: &'a Pointer,
    /// The newest word of each of its agents.
    pub reports: &'a [AgentReport],
}

/// What a check said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckVerdict {
    /// Go on.
    Yes,
    /// Do not go on.
    No {
        /// In one line.
        why: String,
    },
    /// It could not be evaluated; as good as a no.
    Unknown {
        /// In one line.
        why: String,
    },
}

impl Observed<'_> {
    /// Whether nobody can be heard here: a publisher that serves nobody, beside one that does. Its silence says nothing of theirs,
    /// so it judges no gate.
    pub(super) fn is_deaf(&self) -> bool {
        self.listening_since.is_none()
    }

    /// Whether agents had the time to be heard of: only then does their silence say anything.
    pub(super) fn would_have_heard(&self, live_within: Duration, now: Timestamp) -> bool {
        self.listening_since.is_some_and(|since| now.since(since) >= live_within)
    }
}
