//! One app in one region: planned from the store, carried out, and planned again where another publisher was first.

use std::sync::Arc;

use schema::{App, Order, Pointer, Region};
use tokio::sync::OnceCell;

use super::draft::{Draft, Signing};
use super::point::announce;
use super::read_back::{Standing, store_bundle};
use super::refresh::{Refreshed, refreshed, revoked};
use super::report::{Blocked, Moved, Waiting};
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
    pub(super) stored: &'r OnceCell<Standing>,
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

/// What was done about a region, and what it is at now.
pub(super) struct Done {
    pub(super) what: What,
    pub(super) app: App,
    pub(super) region: Region,
    pub(super) order: Option<Order>,
}

/// What was done about a region.
pub(super) enum What {
    Nothing,
    Moved(Moved),
    Refreshed(Moved),
    Blocked(Blocked),
    Waiting(Waiting),
}

impl Done {
    pub(super) fn of(what: What, app: App, region: Region, order: Option<Order>) -> Done {
        Done { what, app, region, order }
    }

    pub(super) fn nothing(app: App, region: Region, order: Option<Order>) -> Done {
        Done::of(What::Nothing, app, region, order)
    }
}

impl Work<'_> {
    /// Settles the region, where this publisher moves pointers, and plans it.
    pub(super) async fn plan(&self) -> Result<Planned, RegionError> {
        let Publisher { freshness, duty, .. } = self.publisher;
        let state = if duty.moves_pointers() {
            region::settle(self.publisher, self.app, self.region).await?
        } else {
            region::look(self.publisher, self.app, self.region).await?
        };
        let (epoch, digest) = (self.publisher.root().epoch, &self.bundle.summary.digest);
        let plan = plan::plan(state.to_plan(), digest, epoch, self.publisher.now(), freshness);
        let plan = plan.map_err(|error| state.error(error))?;
        if let (Plan::Publish { .. }, Some(newest)) = (plan, &state.newest) {
            self.check_follows(newest).await.map_err(|fault| state.error(fault))?;
        }
        Ok(Planned { plan, state })
    }

    /// Does what was planned. A race that is lost throws the plan away: the next one is made from the store.
    pub(super) async fn carry_out(&self, mut planned: Planned) -> Result<Done, RegionError> {
        for _ in 0..TRIES {
            let Planned { plan, state } = planned;
            if let (false, Some(refused)) = (matches!(plan, Plan::Publish { .. }), revoked(self.publisher, &state)) {
                return Err(refused);
            }
            let standing = state.newest.as_ref().map(|newest| newest.order());
            if let Some(what) = self.try_once(plan, state).await? {
                let order = match &what {
                    What::Moved(moved) | What::Refreshed(moved) => Some(moved.order),
                    What::Nothing | What::Blocked(_) | What::Waiting(_) => standing,
                };
                return Ok(Done::of(what, self.app.clone(), self.region.clone(), order));
            }
            planned = self.plan().await?;
        }
        Err(self.stays(RegionFault::LostRace { tries: TRIES }))
    }

    /// None where another publisher was first.
    async fn try_once(&self, plan: Plan, state: RegionState) -> Result<Option<What>, RegionError> {
        let (app, region) = (self.app, self.region);
        let blocked = || Blocked { app: app.clone(), region: region.clone(), digest: self.bundle.summary.digest };
        Ok(match plan {
            Plan::Unchanged => Some(What::Nothing),
            Plan::Refresh { order } => match refreshed(self.publisher, state, order).await? {
                Refreshed::Moved(moved) => Some(What::Refreshed(moved)),
                Refreshed::Waiting(waiting) => Some(What::Waiting(waiting)),
                Refreshed::LostRace => None,
            },
            Plan::Blocked { refresh: None } => Some(What::Blocked(blocked())),
            Plan::Blocked { refresh: Some(order) } => match refreshed(self.publisher, state, order).await? {
                Refreshed::Moved(_) => Some(What::Blocked(blocked())),
                Refreshed::Waiting(waiting) => Some(What::Waiting(waiting)),
                Refreshed::LostRace => None,
            },
            Plan::Publish { order } => match self.stored().await? {
                Standing::Waiting(waiting) => Some(What::Waiting(waiting.clone())),
                Standing::Stored(stored) => {
                    let signing = Signing::under(order, self.publisher);
                    let (newest, commit) = (state.newest.as_ref(), self.commit.id().clone());
                    let draft = Draft::forward(newest, (app, region), stored.target(), commit, signing);
                    announce(self.publisher, state, draft).await?.map(What::Moved)
                }
            },
        })
    }

    /// The bundle, in the store and read back, or what it waits for.
    pub(super) async fn stored(&self) -> Result<&Standing, RegionError> {
        let storing = || store_bundle(self.publisher, self.commit, self.ancestry, Arc::clone(self.bundle));
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
            // What a stolen key named last, before the epoch that ended it, does not keep the region for ever.
            Relation::Apart if newest.epoch < self.publisher.root().epoch => Ok(()),
            Relation::Apart => Err(RegionFault::Apart { offered, standing }),
        }
    }

    fn stays(&self, fault: impl Into<RegionFault>) -> RegionError {
        RegionError { app: self.app.clone(), region: self.region.clone(), fault: fault.into() }
    }
}
