//! Files that go back and forth: a generator that cannot make up its mind, or two of them.
//!
//! In: what a region ran in the last minutes, and what it is to run. Out: the first file that has come back to the version
//! before the last one too often. The files decide, not the bundles, since something else may change every time.

use std::time::Duration;

use schema::Timestamp;
use schema::path::EntryPath;

use super::{Guard, Ran};
use crate::compile::{Listed, Listing};

/// How far back is looked.
pub(super) const WITHIN: Duration = Duration::from_secs(600);

/// How often a file may come back to the version before the last one.
pub(super) const RETURNS_MAX: usize = 2;

/// What there is to say of the app if a file of it flaps.
pub(super) fn flaps(lately: &[Ran], after: &Listing, now: Timestamp) -> Option<(Guard, String)> {
    let last = &lately.last()?.listing;
    let changed = last.keys().chain(after.keys()).filter(|path| last.get(*path) != after.get(*path));
    let mut returns = changed.map(|path| (returns(path, lately, after, now), path));
    let (count, path) = returns.find(|(count, _)| *count > RETURNS_MAX)?;
    let minutes = WITHIN.as_secs() / 60;
    Some((
        Guard::Flap,
        format!("goes back and forth: `{path}` has come back to an earlier version {count} times in {minutes} minutes"),
    ))
}

/// How often `path` came back, within the time that is looked at, to what it was before it was what it is.
fn returns(path: &EntryPath, lately: &[Ran], after: &Listing, now: Timestamp) -> usize {
    let mut versions: Vec<(Option<&Listed>, Timestamp)> = Vec::new();
    let ran = lately.iter().map(|ran| (ran.listing.get(path), ran.since));
    for (version, since) in ran.chain([(after.get(path), now)]) {
        if versions.last().is_none_or(|(before, _)| *before != version) {
            versions.push((version, since));
        }
    }
    let is_return =
        |three: &&[(Option<&Listed>, Timestamp)]| three[0].0 == three[2].0 && now.since(three[2].1) <= WITHIN;
    versions.windows(3).filter(is_return).count()
}
