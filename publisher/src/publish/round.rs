//! Carries one commit to all its regions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use schema::{App, Digest, Region};

use super::read_back::Standing;
use super::report::{Report, Waiting};
use super::staging::{AppPlan, plan_app};
use super::start::start;
use super::work::{Done, Storing, What, Work};
use super::{Ancestry, Before, InForce, a_few_at_a_time, all};
use crate::compile::Compilation;
use crate::proof::VerifiedCommit;
use crate::publisher::Publisher;
use crate::region::RegionError;

/// Publishes what `compilation` has for each app and region, as the bundles of `commit`, by the rules that are in force.
///
/// All regions of the apps that the commit touches are read and planned, and their new bundles stored, signed by as many as must
/// and read back, before the first pointer moves; if any of that fails or has to wait for other signers, nothing moves but what a rollout that the commit ends
/// takes back. Then the regions that go at once are moved, and for those that go by a policy a rollout begins, which is a record
/// and no more: whoever drives rollouts finds it. What fails after that leaves the other regions moved, and the same call
/// repeated finishes the rest. A region that has its bundle gets no new generation.
///
/// Apps that are as they were `before`, and were settled, are looked at after all others: a change waits for no app that it does
/// not touch.
///
/// A publisher that only signs manifests ends there. One that lacks a region's pointer key leaves that region alone.
pub async fn publish(
    publisher: &Publisher,
    commit: &VerifiedCommit,
    compilation: &Compilation,
    before: Before<'_>,
    rules: &InForce,
    ancestry: &Arc<dyn Ancestry>,
) -> Report {
    let moves = publisher.duty.moves_pointers();
    let (ours, others): (Vec<_>, Vec<_>) =
        compilation.bundles.iter().partition(|((_, region), _)| !moves || publisher.signs_for(region));
    let elsewhere: BTreeSet<Region> = others.into_iter().map(|((_, region), _)| region.clone()).collect();
    let bundles = ours.iter();
    let storing: BTreeMap<(&App, Digest), Storing> =
        bundles.clone().map(|((app, _), bundle)| ((app, bundle.summary.digest), Storing::default())).collect();
    let works = bundles.map(|(place, bundle)| {
        let (app, region) = place;
        let storing = &storing[&(app, bundle.summary.digest)];
        let before = before.compilation().and_then(|before| before.bundles.get(place));
        Work { publisher, app, region, commit, ancestry, rules, bundle, before, storing }
    });
    let works: Vec<Work<'_>> = works.collect();
    let apps = works.chunk_by(|one, other| one.app == other.app);
    let (untouched, touched): (Vec<&[Work<'_>]>, Vec<_>) = apps.partition(|works| {
        works.iter().all(|work| {
            let place = (work.app.clone(), work.region.clone());
            before.has_settled(&place, work.bundle.summary.digest, compilation.policies.get(work.app))
        })
    });
    publisher.kept.note(compilation);
    let report = carry(publisher, &touched).await;
    let report = match report.failed.is_empty() && report.waiting.is_empty() {
        true => report.and(carry(publisher, &untouched).await),
        false => report,
    };
    publisher.kept.tidy(compilation);
    Report { elsewhere, ..report }
}

/// Carries the commit to the regions of some apps.
async fn carry(publisher: &Publisher, apps: &[&[Work<'_>]]) -> Report {
    match prepare(apps).await {
        Err(failed) => failed.into_iter().map(Err).collect(),
        Ok(Prepared::Waiting(waiting)) => Report::waiting(waiting),
        Ok(Prepared::Ready(plans)) if publisher.duty.moves_pointers() => {
            let starts: Vec<_> = apps.iter().zip(&plans).filter_map(|(works, plan)| start(works, plan)).collect();
            let planned = plans.into_iter().flat_map(|plan| plan.planned);
            let works = apps.iter().flat_map(|works| works.iter());
            let moves = works.zip(planned).map(async |(work, planned)| {
                let done = work.carry_out(planned).await;
                // A crash here leaves some regions moved and others not: the next start plans each from the store again.
                fail::fail_point!("publish-between-regions");
                done
            });
            let mut report: Report = a_few_at_a_time(moves.collect()).await.into_iter().collect();
            for begun in a_few_at_a_time(starts.into_iter().map(|start| start.record(publisher)).collect()).await {
                match begun {
                    Ok(begun) => report.begun.push(begun),
                    Err(failed) => report.failed.push(failed),
                }
            }
            report
        }
        Ok(Prepared::Ready(_)) => Report::default(),
    }
}

/// What is in the way of the first pointer, if nothing failed.
enum Prepared {
    /// Nothing.
    Ready(Vec<AppPlan>),
    /// Other signers.
    Waiting(Vec<Waiting>),
}

/// Plans all regions, and has every bundle stored that one of them needs.
async fn prepare(apps: &[&[Work<'_>]]) -> Result<Prepared, Vec<RegionError>> {
    let began = Instant::now();
    let plans = all(a_few_at_a_time(apps.iter().map(|works| plan_app(works)).collect()).await);
    let plans = plans.map_err(|failed| failed.into_iter().flatten().collect::<Vec<_>>())?;
    tracing::debug!(took = ?began.elapsed(), "Planned {} apps", apps.len());
    let works = apps.iter().flat_map(|works| works.iter());
    let needed = works.zip(plans.iter().flat_map(|plan| &plan.planned));
    let needed = needed.filter(|(_, planned)| planned.needs_the_bundle());
    // Each bundle once: a region that shares it finds it there.
    let mut once: BTreeMap<(&App, Digest), (&Work<'_>, Vec<_>)> = BTreeMap::new();
    for (work, planned) in needed {
        let (_, ran) = once.entry((work.app, work.bundle.summary.digest)).or_insert((work, Vec::new()));
        ran.extend(planned.state.newest.clone().map(|newest| (work.region.clone(), newest)));
    }
    let storing = once.into_values().map(|(work, ran)| {
        work.storing.replaces(ran);
        work.stored()
    });
    let stored = all(a_few_at_a_time(storing.collect()).await)?;
    let waiting = stored.into_iter().filter_map(|standing| match standing {
        Standing::Waiting(waiting) => Some(waiting.clone()),
        Standing::Stored(_) => None,
    });
    let waiting: Vec<Waiting> = waiting.collect();
    Ok(if waiting.is_empty() { Prepared::Ready(plans) } else { Prepared::Waiting(waiting) })
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
