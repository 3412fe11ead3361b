//! Carries one commit to all its regions.

use std::collections::BTreeMap;
use std::sync::Arc;

use schema::{App, Digest};
use tokio::sync::OnceCell;

use super::read_back::StoredBundle;
use super::report::Report;
use super::work::{Done, Planned, Work};
use super::{Ancestry, a_few_at_a_time};
use crate::compile::Compilation;
use crate::proof::VerifiedCommit;
use crate::publisher::Publisher;
use crate::region::RegionError;

/// Publishes what `compilation` has for each app and region, as the bundles of `commit`.
///
/// All regions are read and planned, and all new bundles stored and read back, before the first pointer moves; if any of
/// that fails, nothing moves, and the report has only failures. What fails after that leaves the other regions moved, and
/// the same call repeated finishes the rest. A region that has its bundle gets no new generation.
pub async fn publish(
    publisher: &Publisher,
    commit: &VerifiedCommit,
    compilation: &Compilation,
    ancestry: &Arc<dyn Ancestry>,
) -> Report {
    let bundles = compilation.bundles.iter();
    let cells: BTreeMap<(&App, Digest), OnceCell<StoredBundle>> =
        bundles.clone().map(|((app, _), bundle)| ((app, bundle.summary.digest), OnceCell::new())).collect();
    let works = bundles.map(|((app, region), bundle)| {
        let stored = &cells[&(app, bundle.summary.digest)];
        Work { publisher, app, region, commit, ancestry, bundle, stored }
    });
    let works: Vec<Work<'_>> = works.collect();

    let planned = match prepare(&works).await {
        Ok(planned) => planned,
        Err(failed) => return failed.into_iter().map(Err).collect(),
    };
    let moves = works.iter().zip(planned).map(async |(work, planned)| {
        let done = work.carry_out(planned).await;
        // A crash here leaves some regions moved and others not: the next start plans each from the store again.
        fail::fail_point!("publish-between-regions");
        done
    });
    a_few_at_a_time(moves.collect()).await.into_iter().collect()
}

/// Plans all regions, and has every bundle stored that one of them needs.
async fn prepare(works: &[Work<'_>]) -> Result<Vec<Planned>, Vec<RegionError>> {
    let planned = all(a_few_at_a_time(works.iter().map(Work::plan).collect()).await)?;
    let needed = works.iter().zip(&planned).filter(|(_, planned)| planned.needs_the_bundle());
    // Each bundle once: a region that shares it finds it there.
    let needed: BTreeMap<(&App, Digest), &Work<'_>> =
        needed.map(|(work, _)| ((work.app, work.bundle.summary.digest), work)).collect();
    all(a_few_at_a_time(needed.into_values().map(Work::stored).collect()).await)?;
    Ok(planned)
}

/// All values, or all errors.
fn all<T>(results: Vec<Result<T, RegionError>>) -> Result<Vec<T>, Vec<RegionError>> {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

impl FromIterator<Result<Done, RegionError>> for Report {
    /// Gathers what was done, sorted by app and region.
    fn from_iter<I: IntoIterator<Item = Result<Done, RegionError>>>(all: I) -> Report {
        let mut report = Report::default();
        for done in all {
            match done {
                Ok(Done::Nothing) => {}
                Ok(Done::Moved(moved)) => report.moved.push(moved),
                Ok(Done::Refreshed(moved)) => report.refreshed.push(moved),
                Ok(Done::Blocked(blocked)) => report.blocked.push(blocked),
                Err(failed) => report.failed.push(failed),
            }
        }
        report.sort();
        report
    }
}
