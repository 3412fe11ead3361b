//! Begins a rollout for the regions of one app that go by a policy.

use std::collections::BTreeMap;

use schema::{Region, Rollout};

use super::read_back::Standing;
use super::report::Begun;
use super::staging::AppPlan;
use super::work::Work;
use crate::publisher::Publisher;
use crate::region::{RegionError, RegionFault};
use crate::rollout::records::{Recording, newest, record};
use crate::rollout::{Departure, Start, begin};

/// A rollout that is not recorded yet. Its bundles are in the store, and were read back.
pub(super) struct Starting {
    rollout: Rollout,
}

/// What is to be recorded for the regions of `works`, if any of them goes by a policy.
pub(super) fn start(works: &[Work<'_>], plan: &AppPlan) -> Option<Starting> {
    let staged = works.iter().zip(&plan.planned).filter(|(_, planned)| planned.is_staged());
    let departures = staged.filter_map(|(work, planned)| {
        let Some(Standing::Stored(stored)) = work.storing.standing() else { return None };
        let newest = planned.state.newest.as_ref()?;
        let departure = Departure {
            from: newest.stable,
            from_commit: newest.commit.clone(),
            to: stored.target(),
            based_on: newest.order(),
        };
        Some((work.region.clone(), departure))
    });
    let regions: BTreeMap<Region, Departure> = departures.collect();
    let (first, policy) = (works.first()?, plan.policy.clone()?);
    let start = Start {
        app: first.app.clone(),
        id: plan.next,
        commit: first.commit.id().clone(),
        policy,
        regions,
        seed: fastrand::u64(..),
        now: first.publisher.now(),
    };
    (!start.regions.is_empty()).then(|| Starting { rollout: begin(start) })
}

impl Starting {
    /// Records the first state. Where another publisher began the same, that is as good.
    pub(super) async fn record(self, publisher: &Publisher) -> Result<Begun, RegionError> {
        let Starting { rollout } = self;
        let begun = Begun { app: rollout.app.clone(), id: rollout.id };
        let region = rollout.regions.keys().next().expect("a rollout reaches a region").clone();
        let stays = |fault: RegionFault| RegionError { app: begun.app.clone(), region: region.clone(), fault };
        let (commit, regions) = (rollout.commit.clone(), targets(&rollout));
        let policy = rollout.policy.name.clone();
        match record(publisher, rollout).await.map_err(|error| stays(Box::new(error).into()))? {
            Recording::Ours(_) => {
                tracing::info!(
                    app = %begun.app, rollout = %begun.id, %commit,
                    "Rollout {} of app {} begins: commit {} by policy `{policy}`", begun.id, begun.app, commit.short(),
                );
                Ok(begun)
            }
            Recording::Lost => {
                let theirs = newest(publisher, &begun.app, begun.id).await;
                let theirs = theirs.map_err(|error| stays(Box::new(error).into()))?;
                let is_same = theirs.is_some_and(|theirs| theirs.commit == commit && targets(&theirs) == regions);
                if is_same { Ok(begun) } else { Err(stays(RegionFault::LostRace { tries: 1 })) }
            }
        }
    }
}

fn targets(rollout: &Rollout) -> Vec<(Region, schema::Target)> {
    rollout.regions.iter().map(|(region, leg)| (region.clone(), leg.to)).collect()
}
