//! Carries one commit to all its regions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schema::{App, Digest, Region};
use tokio::sync::OnceCell;

use super::read_back::Standing;
use super::report::{Report, Waiting};
use super::work::{Done, Planned, What, Work};
use super::{Ancestry, a_few_at_a_time};
use crate::compile::Compilation;
use crate::proof::VerifiedCommit;
use crate::publisher::Publisher;
use crate::region::RegionError;

/// Publishes what `compilation` has for each app and region, as the bundles of `commit`.
///
/// All regions are read and planned, and all new bundles stored, signed by as many as must and read back, before the first
/// pointer moves; if any of that fails or has to wait for other signers, nothing moves. What fails after that leaves the other
/// regions moved, and the same call repeated finishes the rest. A region that has its bundle gets no new generation.
///
/// A publisher that only signs manifests ends there. One that lacks a region's pointer key leaves that region alone.
pub async fn publish(
    publisher: &Publisher,
    commit: &VerifiedCommit,
    compilation: &Compilation,
    ancestry: &Arc<dyn Ancestry>,
) -> Report {
    let moves = publisher.duty.moves_pointers();
    let (ours, others): (Vec<_>, Vec<_>) =
        compilation.bundles.iter().partition(|((_, region), _)| !moves || publisher.signs_for(region));
    let elsewhere: BTreeSet<Region> = others.into_iter().map(|((_, region), _)| region.clone()).collect();
    let bundles = ours.iter();
    let cells: BTreeMap<(&App, Digest), OnceCell<Standing>> =
        bundles.clone().map(|((app, _), bundle)| ((app, bundle.summary.digest), OnceCell::new())).collect();
    let works = bundles.map(|((app, region), bundle)| {
        let stored = &cells[&(app, bundle.summary.digest)];
        Work { publisher, app, region, commit, ancestry, bundle, stored }
    });
    let works: Vec<Work<'_>> = works.collect();

    let report = match prepare(&works).await {
        Err(failed) => failed.into_iter().map(Err).collect(),
        Ok(Prepared::Waiting(waiting)) => Report::waiting(waiting),
        Ok(Prepared::Ready(planned)) if moves => {
            let moves = works.iter().zip(planned).map(async |(work, planned)| {
                let done = work.carry_out(planned).await;
                // A crash here leaves some regions moved and others not: the next start plans each from the store again.
                fail::fail_point!("publish-between-regions");
                done
            });
            a_few_at_a_time(moves.collect()).await.into_iter().collect()
        }
        Ok(Prepared::Ready(_)) => Report::default(),
    };
    Report { elsewhere, ..report }
}

/// What is in the way of the first pointer, if nothing failed.
enum Prepared {
    /// Nothing.
    Ready(Vec<Planned>),
    /// Other signers.
    Waiting(Vec<Waiting>),
}

/// Plans all regions, and has every bundle stored that one of them needs.
async fn prepare(works: &[Work<'_>]) -> Result<Prepared, Vec<RegionError>> {
    let planned = all(a_few_at_a_time(works.iter().map(Work::plan).collect()).await)?;
    let needed = works.iter().zip(&planned).filter(|(_, planned)| planned.needs_the_bundle());
    // Each bundle once: a region that shares it finds it there.
    let needed: BTreeMap<(&App, Digest), &Work<'_>> =
        needed.map(|(work, _)| ((work.app, work.bundle.summary.digest), work)).collect();
    let stored = all(a_few_at_a_time(needed.into_values().map(Work::stored).collect()).await)?;
    let waiting = stored.into_iter().filter_map(|standing| match standing {
        Standing::Waiting(waiting) => Some(waiting.clone()),
        Standing::Stored(_) => None,
    });
    let waiting: Vec<Waiting> = waiting.collect();
    Ok(if waiting.is_empty() { Prepared::Ready(planned) } else { Prepared::Waiting(waiting) })
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
            let Done { what, app, region, order } = match done {
                Ok(done) => done,
                Err(failed) => {
                    report.failed.push(failed);
                    continue;
                }
            };
            report.orders.extend(order.map(|order| ((app, region), order)));
            match what {
                What::Nothing => {}
                What::Moved(moved) => report.moved.push(moved),
                What::Refreshed(moved) => report.refreshed.push(moved),
                What::Blocked(blocked) => report.blocked.push(blocked),
                What::Waiting(waiting) => report.waiting.push(waiting),
            }
        }
        report.sort();
        report
    }
}
