//! What an audit comes to.

use schema::{App, Digest, Epoch, Generation, Region, Serial, Timestamp};
use serde::Serialize;

use crate::finding::{Finding, Severity};

/// What was looked at and what is wrong.
#[derive(Debug)]
pub struct Report {
    /// What was looked at.
    pub counts: Counts,
    /// The newest trust root that was reached: its version.
    pub root: u64,
    /// The newest pointer of each app and region, as far as its signature held.
    pub standing: Vec<Standing>,
    /// What is wrong, what matters most first.
    pub findings: Vec<Finding>,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Objects in the store.
    pub objects: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Trust roots.
    pub roots: u64,
    /// History records.
    pub records: u64,
    /// States of rollouts.
    pub states: u64,
    /// Bundles.
    pub bundles: u64,
}

/// What a region runs, by the newest record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The app.
    pub app: App,
    /// The region.
    pub region: Region,
    /// The epoch.
    pub epoch: Epoch,
    /// The generation.
    pub generation: Generation,
    /// The serial.
    pub serial: Serial,
    /// The bundle.
    pub digest: Digest,
    /// From when on it is stale.
    pub expires: Timestamp,
}

/// The last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything holds.
    Sound,
    /// Everything holds, and somebody should look at something.
    Weak,
    /// Something was changed, removed or forged, or agents refuse what is published.
    Broken,
}

impl Report {
    /// The last word.
    pub fn verdict(&self) -> Verdict {
        match self.findings.iter().map(Finding::severity).max() {
            Some(Severity::Broken) => Verdict::Broken,
            Some(Severity::Weak) => Verdict::Weak,
            Some(Severity::Note) | None => Verdict::Sound,
        }
    }
}
