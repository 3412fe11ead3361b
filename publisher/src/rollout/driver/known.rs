//! What was read of one app's newest rollout, and for how long it is believed.

use std::collections::BTreeMap;
use std::sync::Arc;

use schema::{AgentReport, App, Pointer, Region, Rollout, Timestamp, Verified};
use tokio::time::Instant;

use super::{BELIEVED_FOR, DriveError};
use crate::publisher::Publisher;
use crate::region;
use crate::rollout::fleet::Fleet;
use crate::rollout::records::{self, drives};
use crate::rollout::{CheckVerdict, Observed, RegionView};

/// How many rollouts are looked at, newest first, for one that this publisher drives.
const LOOKED_AT_MAX: usize = 8;

/// The newest rollout of an app, and the pointers of its regions.
pub(super) struct Known {
    /// None: the app has none.
    pub(super) state: Option<Arc<Rollout>>,
    pub(super) began: Timestamp,
    /// Whether this publisher has the keys of all its regions.
    pub(super) drives: bool,
    /// How many agents the rollout before it counted in its regions.
    last_fleet: u64,
    /// Of the regions that the rollout reaches.
    pub(super) pointers: BTreeMap<Region, Verified<Pointer>>,
    /// All that the app is published in.
    pub(super) regions: Vec<Region>,
    read: Option<Instant>,
    seen: Option<Instant>,
}

impl Known {
    /// Nothing yet, of an app that is published in `regions`.
    pub(super) fn of(regions: Vec<Region>) -> Known {
        Known {
            regions,
            state: None,
            began: Timestamp::UNIX_EPOCH,
            drives: false,
            last_fleet: 0,
            pointers: BTreeMap::new(),
            read: None,
            seen: None,
        }
    }

    /// Reads what is not believed any more. Of a rollout that is over nothing changes but by somebody who begins anew.
    pub(super) async fn refresh(&mut self, publisher: &Publisher, app: &App) -> Result<(), DriveError> {
        let is_under_way = self.state.as_ref().is_some_and(|state| !state.is_over());
        let is_old = |at: Option<Instant>| at.is_none_or(|at| is_under_way && at.elapsed() >= BELIEVED_FOR);
        if is_old(self.read) {
            self.read(publisher, app).await?;
            self.read = Some(Instant::now());
        }
        if is_old(self.seen) {
            let regions = self.state.iter().flat_map(|state| state.regions.keys());
            let mut pointers = BTreeMap::new();
            for region in regions {
                let settled = match self.drives {
                    true => region::settle(publisher, app, region).await?,
                    false => region::look(publisher, app, region).await?,
                };
                pointers.extend(settled.newest.map(|newest| (region.clone(), newest)));
            }
            self.pointers = pointers;
            self.seen = Some(Instant::now());
        }
        Ok(())
    }

    async fn read(&mut self, publisher: &Publisher, app: &App) -> Result<(), DriveError> {
        let ids = records::ids(publisher, app).await?;
        let (mut newest, mut ours) = (None, None);
        for id in ids.into_iter().rev().take(LOOKED_AT_MAX) {
            let Some(state) = records::newest(publisher, app, id).await? else { continue };
            if drives(publisher, state.regions.keys()) {
                ours = Some(state);
                break;
            }
            newest = newest.or(Some(state));
        }
        // Where all are others' to drive, the newest of them is still worth showing.
        self.drives = ours.is_some();
        let Some(state) = ours.or(newest) else {
            self.state = None;
            return Ok(());
        };
        if self.state.as_ref().is_none_or(|known| known.id != state.id) {
            self.began = records::began(publisher, app, state.id).await?.unwrap_or(state.at);
            self.last_fleet = last_fleet(publisher, &state).await?;
        }
        if self.state.as_ref().is_none_or(|known| (known.id, known.n) != (state.id, state.n)) {
            self.state = Some(Arc::new(Rollout::clone(&state)));
            self.seen = None;
        }
        Ok(())
    }

    /// Goes on from a state that was just recorded.
    pub(super) fn take(&mut self, state: Verified<Rollout>) -> Arc<Rollout> {
        let state = Arc::new(Rollout::clone(&state));
        self.state = Some(Arc::clone(&state));
        self.read = Some(Instant::now());
        state
    }

    /// Reads all again the next time.
    pub(super) fn forget(&mut self) {
        self.read = None;
        self.seen = None;
    }

    /// Reads the pointers again the next time.
    pub(super) fn forget_pointers(&mut self) {
        self.seen = None;
    }

    /// What the agents of the rollout's regions said last.
    pub(super) fn reports(&self, fleet: &dyn Fleet, app: &App) -> BTreeMap<Region, Vec<AgentReport>> {
        self.pointers.keys().map(|region| (region.clone(), fleet.reports(app, region))).collect()
    }

    /// All that the next step rests on.
    pub(super) fn seen<'s>(
        &'s self,
        reports: &'s BTreeMap<Region, Vec<AgentReport>>,
        checks: &'s BTreeMap<Box<str>, CheckVerdict>,
        listening_since: Option<Timestamp>,
    ) -> Observed<'s> {
        let view = |(region, pointer): (&'s Region, &'s Verified<Pointer>)| {
            let reports = reports.get(region).map_or(&[][..], Vec::as_slice);
            (region, RegionView { pointer, reports })
        };
        Observed {
            regions: self.pointers.iter().map(view).collect(),
            checks,
            listening_since,
            last_fleet: self.last_fleet,
        }
    }
}

/// How many agents the rollout before `state` counted in the regions of `state`.
async fn last_fleet(publisher: &Publisher, state: &Rollout) -> Result<u64, DriveError> {
    let ids = records::ids(publisher, &state.app).await?;
    let Some(before) = ids.into_iter().rev().find(|id| *id < state.id) else { return Ok(0) };
    let Some(before) = records::newest(publisher, &state.app, before).await? else { return Ok(0) };
    let both = before.regions.iter().filter(|(region, _)| state.regions.contains_key(region));
    Ok(both.map(|(_, leg)| leg.fleet).sum())
}
