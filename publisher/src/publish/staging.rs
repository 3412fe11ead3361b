//! By which way each region of one app comes to a commit, and what the commit does to the app's rollouts.
//!
//! In: the app's regions, each planned for itself, the policies in force, and the rollouts in the store. Out: the same plans with
//! their ways. On the way rollouts that the commit ends are ended: their records first, then their pointers, so that whatever
//! begins next begins from pointers that are right.

use std::collections::BTreeMap;
use std::sync::Arc;

use schema::rollout::{Policy, Reverts};
use schema::{Digest, Region, Rollout, RolloutId, Verified};

use super::past::past;
use super::work::{Planned, Work};
use super::{TRIES, a_few_at_a_time, all};
use crate::plan::{Held, Past, Way, policy_in_force, way};
use crate::publisher::Publisher;
use crate::region::{self, RegionError, RegionFault};
use crate::rollout::meet::{Elsewhere, Meeting, meet, unblocks};
use crate::rollout::point::{Pointed, lags, point};
use crate::rollout::records::{Recording, drives, record};
use crate::rollout::stands::Stands;
use crate::rollout::supersede;

/// The regions of one app, planned, and what a rollout of some of them would begin with.
pub(super) struct AppPlan {
    pub(super) planned: Vec<Planned>,
    pub(super) next: RolloutId,
    pub(super) policy: Option<Policy>,
}

/// Whether the plans still go by what stands in the store.
enum Turn {
    Settled,
    /// A rollout ended, or its pointers moved: all is to be planned again.
    Changed,
}

/// Plans the regions of one app.
pub(super) async fn plan_app(works: &[Work<'_>]) -> Result<AppPlan, Vec<RegionError>> {
    let first = works.first().expect("an app has regions");
    for _ in 0..TRIES {
        let mut planned = all(a_few_at_a_time(works.iter().map(Work::plan).collect()).await)?;
        if !first.publisher.duty.moves_pointers() {
            return Ok(AppPlan { planned, next: RolloutId::FIRST, policy: None });
        }
        let stands = Stands::read(first.publisher, first.app, works.iter().map(|work| work.region)).await;
        let stands = stands.map_err(|error| vec![first.stays(Box::new(error))])?;
        let newest = stands.all().next();
        let (in_force, base) = (first.rules.policies.get(first.app), first.rules.base.as_ref());
        let policy = policy_in_force(in_force, base, newest.as_deref().map(|newest| &**newest)).cloned();
        let app = AppOf { works, stands: &stands, policy: policy.as_ref() };
        match app.turn(&mut planned).await.map_err(|error| vec![error])? {
            Turn::Settled => return Ok(AppPlan { planned, next: stands.next_id(), policy }),
            Turn::Changed => {}
        }
    }
    Err(vec![first.stays(RegionFault::LostRace { tries: TRIES })])
}

struct AppOf<'a, 'r> {
    works: &'a [Work<'r>],
    stands: &'a Stands,
    policy: Option<&'a Policy>,
}

impl AppOf<'_, '_> {
    async fn turn(&self, planned: &mut [Planned]) -> Result<Turn, RegionError> {
        for rollout in self.ours() {
            if rollout.is_over() && self.may_lag(&rollout, planned) && self.catch_up(&rollout).await? {
                return Ok(Turn::Changed);
            }
        }
        for (work, planned) in self.works.iter().zip(planned.iter_mut()).filter(|(_, planned)| planned.is_new()) {
            planned.way = self.way(work, planned).await?;
        }
        let tip: BTreeMap<Region, Digest> =
            self.works.iter().map(|work| (work.region.clone(), work.bundle.summary.digest)).collect();
        let mut turn = Turn::Settled;
        for rollout in self.stands.all().filter(|rollout| !rollout.is_over()) {
            let elsewhere = match planned.iter().any(Planned::is_staged) {
                true => Elsewhere::Staged,
                false => Elsewhere::Quiet,
            };
            match meet(&rollout, &tip, elsewhere) {
                Meeting::GoesOn => {}
                // What this publisher cannot end, others do: they look at the same branch.
                Meeting::Ends if self.drives(&rollout) => {
                    self.end(&rollout).await?;
                    turn = Turn::Changed;
                }
                Meeting::Waits if self.drives(&rollout) && self.goes_back(&rollout).await? => {
                    self.end(&rollout).await?;
                    turn = Turn::Changed;
                }
                Meeting::Ends | Meeting::Waits => wait(planned, &rollout),
            }
        }
        for rollout in self.ours() {
            let stays = |region: &Region| self.is_last_word(&rollout, region, planned);
            if unblocks(&rollout, &tip, stays) && self.is_behind_us(&rollout).await? {
                self.end(&rollout).await?;
                turn = Turn::Changed;
            }
        }
        Ok(turn)
    }

    async fn way(&self, work: &Work<'_>, planned: &Planned) -> Result<Way, RegionError> {
        let digest = &work.bundle.summary.digest;
        let rollout = self.stands.of(work.region).map(|rollout| &**rollout);
        let newest = planned.state.newest.as_deref();
        let decide = |past| way(newest, (work.region, digest), self.policy, rollout, past);
        match decide(Past::Unproven) {
            Way::Staged => {
                let past = past(work.publisher, work.app, work.region, digest).await;
                Ok(decide(past.map_err(|fault| work.stays(fault))?))
            }
            decided => Ok(decided),
        }
    }

    fn ours(&self) -> impl Iterator<Item = Arc<Verified<Rollout>>> {
        self.stands.all().filter(|rollout| self.drives(rollout))
    }

    fn drives(&self, rollout: &Rollout) -> bool {
        drives(self.publisher(), rollout.regions.keys())
    }

    fn publisher(&self) -> &Publisher {
        self.works[0].publisher
    }

    /// Whether a crash may have kept a pointer from following the last record of `rollout`, which is over.
    fn may_lag(&self, rollout: &Rollout, planned: &[Planned]) -> bool {
        self.works.iter().zip(planned).any(|(work, planned)| {
            let is_its = self.stands.of(work.region).is_some_and(|last| last.id == rollout.id);
            let has_candidate = planned.state.newest.as_ref().is_some_and(|newest| newest.candidate.is_some());
            is_its && (planned.is_new() || has_candidate)
        })
    }

    /// Whether `rollout` is the last word about a region that the commit brings nothing staged to.
    fn is_last_word(&self, rollout: &Rollout, region: &Region, planned: &[Planned]) -> bool {
        let place = self.works.iter().position(|work| work.region == region);
        place.is_some_and(|place| !planned[place].is_staged())
            && self.stands.of(region).is_some_and(|last| last.id == rollout.id)
    }

    /// Whether the commit of `rollout` is in the history of ours.
    async fn is_behind_us(&self, rollout: &Rollout) -> Result<bool, RegionError> {
        let work = &self.works[0];
        match work.check_follows(&rollout.commit).await {
            Ok(()) => Ok(true),
            Err(RegionFault::Behind { .. } | RegionFault::Apart { .. }) => Ok(false),
            Err(fault) => Err(work.stays(fault)),
        }
    }

    /// Whether the commit takes back what `rollout` brings, for what its regions run or for what was good there before that: then
    /// it waits for nobody's end.
    async fn goes_back(&self, rollout: &Rollout) -> Result<bool, RegionError> {
        if self.policy.is_none_or(|policy| policy.reverts != Reverts::AtOnce) {
            return Ok(false);
        }
        let mut takes_back = false;
        for work in self.works {
            let digest = work.bundle.summary.digest;
            let leg = rollout.regions.get(work.region).filter(|leg| leg.to.digest != digest);
            let Some(leg) = leg else { continue };
            takes_back = true;
            if leg.from.digest != digest {
                let past = past(work.publisher, work.app, work.region, &digest).await;
                if past.map_err(|fault| work.stays(fault))? != Past::KnownGood {
                    return Ok(false);
                }
            }
        }
        Ok(takes_back)
    }

    /// Ends `rollout` for the commit, and takes its candidates back.
    async fn end(&self, rollout: &Verified<Rollout>) -> Result<(), RegionError> {
        let (work, publisher) = (&self.works[0], self.publisher());
        work.check_follows(&rollout.commit).await.map_err(|fault| work.stays(fault))?;
        let ended = supersede(rollout, work.commit.id(), publisher.now());
        match record(publisher, ended).await.map_err(|error| work.stays(Box::new(error)))? {
            Recording::Ours(ended) => {
                tracing::info!(
                    app = %ended.app, rollout = %ended.id,
                    "Rollout {} of app {}: {}", ended.id, ended.app, ended.cause.why.escape_debug(),
                );
                self.catch_up(&ended).await.map(|_moved| ())
            }
            // Somebody decided something else about it: that is to be read first.
            Recording::Lost => Ok(()),
        }
    }

    /// Moves the pointers that lag behind the last record of `rollout`. Whether there were any.
    async fn catch_up(&self, rollout: &Rollout) -> Result<bool, RegionError> {
        let publisher = self.publisher();
        let mut any = false;
        for region in rollout.regions.keys() {
            let state = region::settle(publisher, &rollout.app, region).await?;
            let Some(newest) = state.newest.filter(|newest| lags(rollout, region, newest)) else { continue };
            any |= matches!(point(publisher, rollout, region, &newest).await?, Pointed::Moved(_));
        }
        Ok(any)
    }
}

/// Lets what is new wait for the end of `rollout`.
fn wait(planned: &mut [Planned], rollout: &Rollout) {
    for planned in planned.iter_mut().filter(|planned| planned.is_staged()) {
        planned.way = Way::Held(Held::waiting_for(rollout));
    }
}
