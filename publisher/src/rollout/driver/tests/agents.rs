//! Agents in memory: they read the pointers of a real store and answer as agents do, when told to.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use schema::ack::{Active, Outcome};
use schema::pointer::{Member, Run};
use schema::{AgentId, AgentReport, App, Digest, Pointer, Region, Timestamp};
use tokio::sync::Notify;

use crate::publisher::Publisher;
use crate::region;
use crate::rollout::Fleet;

/// How an agent takes bundles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    Good,
    /// Its check says no to this bundle.
    NotReady(Digest),
    /// Its reload fails with this bundle.
    Breaks(Digest),
    /// It says nothing about this bundle.
    Silent(Digest),
    /// It says that all fails, and once it is left out that all is well.
    Restless,
}

/// The agents of one app.
#[derive(Clone)]
pub(crate) struct Agents(Arc<Inner>);

/// Each agent, its nature, and its last word.
type Hosts = BTreeMap<AgentId, (Nature, Option<AgentReport>)>;

struct Inner {
    since: Timestamp,
    regions: Mutex<BTreeMap<Region, Hosts>>,
    peak: Mutex<BTreeMap<Digest, usize>>,
    changed: Notify,
}

impl Agents {
    /// `count` good agents in each of `regions`, heard since `since`.
    pub(crate) fn new(regions: &[&str], count: usize, since: Timestamp) -> Agents {
        let agents = |region: &str| {
            let name = |n| format!("{region}-{n:03}").parse().expect("a name");
            (0..count).map(|n| (name(n), (Nature::Good, None))).collect()
        };
        let regions = regions.iter().map(|region| (region.parse().expect("a region"), agents(region)));
        let (regions, peak) = (Mutex::new(regions.collect()), Mutex::default());
        Agents(Arc::new(Inner { since, regions, peak, changed: Notify::new() }))
    }

    /// Gives the first `count` agents of each region another nature.
    pub(crate) fn become_(&self, count: usize, nature: Nature) {
        for agents in self.0.regions.lock().expect("nobody panicked").values_mut() {
            agents.values_mut().take(count).for_each(|(of, _)| *of = nature);
        }
    }

    /// Lets every agent take and answer the newest pointer of its region.
    pub(crate) async fn answer(&self, publisher: &Publisher, app: &App) {
        let regions: Vec<Region> = self.0.regions.lock().expect("nobody panicked").keys().cloned().collect();
        for region in regions {
            let newest = region::look(publisher, app, &region).await.expect("a readable region").newest;
            let Some(newest) = newest else { continue };
            let mut all = self.0.regions.lock().expect("nobody panicked");
            for (agent, (nature, report)) in all.get_mut(&region).expect("listed").iter_mut() {
                *report = answer(agent, *nature, report.take(), &newest, publisher.now());
            }
        }
        let mut counts: BTreeMap<Digest, usize> = BTreeMap::new();
        for (_, report) in self.0.regions.lock().expect("nobody panicked").values().flat_map(BTreeMap::values) {
            if let Some(active) = report.as_ref().and_then(|report| report.active) {
                *counts.entry(active.digest).or_default() += 1;
            }
        }
        let mut peak = self.0.peak.lock().expect("nobody panicked");
        for (digest, count) in counts {
            let most = peak.entry(digest).or_default();
            *most = count.max(*most);
        }
        self.0.changed.notify_one();
    }

    /// The most agents that ever ran a bundle at one time.
    pub(crate) fn peak(&self, digest: Digest) -> usize {
        self.0.peak.lock().expect("nobody panicked").get(&digest).copied().unwrap_or(0)
    }

    /// How many run a bundle now.
    pub(crate) fn on(&self, digest: Digest) -> usize {
        let regions = self.0.regions.lock().expect("nobody panicked");
        let reports = regions.values().flat_map(BTreeMap::values).filter_map(|(_, report)| report.as_ref());
        reports.filter(|report| report.active.is_some_and(|active| active.digest == digest)).count()
    }
}

fn answer(
    agent: &AgentId,
    nature: Nature,
    before: Option<AgentReport>,
    pointer: &Pointer,
    now: Timestamp,
) -> Option<AgentReport> {
    let labels = BTreeMap::new();
    let assigned = pointer.assignment(Member { agent, labels: &labels }, now);
    let place = (pointer.epoch, pointer.generation);
    let is_new = before.as_ref().is_none_or(|before| (before.epoch, before.generation) != place);
    let old = before.as_ref().and_then(|before| before.active);
    let ran = |digest| match old {
        Some(active) if active.digest == digest => Some(active),
        _ => Some(Active { digest, epoch: pointer.epoch, generation: pointer.generation }),
    };
    let (attempted, outcome, active) = match (assigned.run, assigned.ready) {
        (_, Some(ready)) if nature == Nature::NotReady(ready.digest) => (ready.digest, Outcome::Unprepared, old),
        (Run::Stay, None) => return before.map(|before| AgentReport { heard: now, ..before }),
        (Run::Stay, Some(ready)) => (ready.digest, Outcome::Prepared, old),
        (Run::Stable(stable), Some(ready)) => (ready.digest, Outcome::Prepared, ran(stable.digest)),
        (Run::Stable(target) | Run::Candidate { target, .. }, None) => match nature {
            Nature::Breaks(digest) if digest == target.digest => (target.digest, Outcome::Failed, old),
            Nature::NotReady(digest) if digest == target.digest => (target.digest, Outcome::Failed, old),
            _ => (target.digest, Outcome::Applied, ran(target.digest)),
        },
        (Run::Candidate { .. }, Some(_)) => unreachable!("whoever runs it has it ready"),
    };
    if nature == Nature::Silent(attempted) {
        return before;
    }
    let outcome = match nature {
        Nature::Restless if outcome != Outcome::Prepared => Outcome::Failed,
        _ => outcome,
    };
    let known = before.as_ref().map_or(0, |before| before.failures);
    let failures = match outcome {
        Outcome::Failed | Outcome::Unprepared => known + u32::from(is_new),
        Outcome::Applied => 0,
        _ => known,
    };
    // As many as it takes, and never more.
    let failures = if nature == Nature::Restless { 2 } else { failures };
    Some(AgentReport {
        agent: agent.clone(),
        labels,
        heard: now,
        epoch: pointer.epoch,
        generation: pointer.generation,
        attempted,
        outcome,
        step: None,
        reason: (failures > 0).then(|| "disk full".into()),
        at: now,
        active,
        failures,
    })
}

impl Fleet for Agents {
    fn reports(&self, _: &App, region: &Region) -> Vec<AgentReport> {
        let regions = self.0.regions.lock().expect("nobody panicked");
        let agents = regions.get(region).into_iter().flat_map(BTreeMap::values);
        agents.filter_map(|(_, report)| report.clone()).collect()
    }

    fn listening_since(&self) -> Option<Timestamp> {
        Some(self.0.since)
    }

    fn changed<'f>(&'f self) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>> {
        Box::pin(self.0.changed.notified())
    }
}
