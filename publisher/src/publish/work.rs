//! One app in one region: planned from the store, carried out, and planned again where another publisher was first.

use std::sync::Arc;

use schema::{App, Pointer, Region};
use tokio::sync::OnceCell;

use super::draft::{Draft, Signing};
use super::point::announce;
use super::read_back::{StoredBundle, store_bundle};
use super::report::{Blocked, Moved};
use super::{Ancestry, Relation, TRIES};
use crate::blocking::blocking;
use crate::compile::CompiledBundle;
use crate::plan::{self, Plan};
use crate::proof::VerifiedCommit;
use crate::publisher::Publisher;
use crate::region::{self, RegionError, RegionFault, RegionState};

/// A region, and the bundle of a commit that it is to run.
pub(super) struct Work<'r> {
    pub(super) publisher: &'r Publisher,
    pub(super) app: &'r App,
    pub(super) region: &'r Region,
    pub(super) commit: &'r VerifiedCommit,
    pub(super) ancestry: &'r Arc<dyn Ancestry>,
    pub(super) bundle: &'r Arc<CompiledBundle>,
    /// Shared by all regions that get this bundle: whoever needs it first uploads it.
    pub(super) stored: &'r OnceCell<StoredBundle>,
}

/// A plan, and the state of the region that it was made from.
pub(super) struct Planned {
    plan: Plan,
    state: RegionState,
}

impl Planned {
    pub(super) fn needs_the_bundle(&self) -> bool {
        matches!(self.plan, Plan::Publish { .. })
    }
}

/// What was done about a region.
pub(super) enum Done {
    Nothing,
    Moved(Moved),
    Refreshed(Moved),
    Blocked(Blocked),
}

impl Work<'_> {
    /// Settles the region and plans it.
    pub(super) async fn plan(&self) -> Result<Planned, RegionError> {
        let Publisher { root, freshness, .. } = self.publisher;
        let state = region::settle(self.publisher, self.app, self.region).await?;
        let (newest, digest) = (state.newest.as_deref(), &self.bundle.summary.digest);
        let plan = plan::plan(newest, digest, root.epoch, self.publisher.now(), freshness);
        let plan = plan.map_err(|error| state.error(error))?;
        if let (Plan::Publish { .. }, Some(newest)) = (plan, newest) {
            self.check_follows(newest).await.map_err(|fault| state.error(fault))?;
        }
        Ok(Planned { plan, state })
    }

    /// Does what was planned. A race that is lost throws the plan away: the next one is made from the store.
    pub(super) async fn carry_out(&self, mut planned: Planned) -> Result<Done, RegionError> {
        let (app, region) = (self.app, self.region);
        let blocked = || Blocked { app: app.clone(), region: region.clone(), digest: self.bundle.summary.digest };
        for _ in 0..TRIES {
            let Planned { plan, state } = planned;
            let done = match plan {
                Plan::Unchanged => Some(Done::Nothing),
                Plan::Refresh { order } => {
                    let draft = Draft::refreshed(state.standing(), Signing::under(order, self.publisher));
                    announce(self.publisher, state, draft).await?.map(Done::Refreshed)
                }
                Plan::Blocked { refresh: None } => Some(Done::Blocked(blocked())),
                Plan::Blocked { refresh: Some(order) } => {
                    let draft = Draft::refreshed(state.standing(), Signing::under(order, self.publisher));
                    announce(self.publisher, state, draft).await?.map(|_| Done::Blocked(blocked()))
                }
                Plan::Publish { order } => {
                    let target = self.stored().await?.target();
                    let signing = Signing::under(order, self.publisher);
                    let commit = self.commit.id().clone();
                    let draft = Draft::forward(state.newest.as_ref(), (app, region), target, commit, signing);
                    announce(self.publisher, state, draft).await?.map(Done::Moved)
                }
            };
            if let Some(done) = done {
                return Ok(done);
            }
            planned = self.plan().await?;
        }
        Err(self.stays(RegionFault::LostRace { tries: TRIES }))
    }

    /// The bundle, in the store and read back.
    pub(super) async fn stored(&self) -> Result<&StoredBundle, RegionError> {
        let storing = || store_bundle(self.publisher, self.commit, Arc::clone(self.bundle));
        self.stored.get_or_try_init(storing).await.map_err(|error| self.stays(Box::new(error)))
    }

    /// Refuses to publish a commit over one that it does not descend from: that would undo what others published.
    async fn check_follows(&self, newest: &Pointer) -> Result<(), RegionFault> {
        let (offered, standing) = (self.commit.id().clone(), newest.commit.clone());
        if offered == standing {
            return Ok(());
        }
        let (ancestry, asked) = (Arc::clone(self.ancestry), standing.clone());
        match blocking(move || ancestry.relation(&asked)).await? {
            Relation::Contained => Ok(()),
            Relation::Ahead => Err(RegionFault::Behind { offered, standing }),
            Relation::Apart => Err(RegionFault::Apart { offered, standing }),
        }
    }

    fn stays(&self, fault: impl Into<RegionFault>) -> RegionError {
        RegionError { app: self.app.clone(), region: self.region.clone(), fault: fault.into() }
    }
}
