//! One app in one region: planned from the store, carried out, and planned again where another publisher was first.

use std::sync::{Arc, OnceLock};

use schema::{App, CommitId, Order, Pointer, Region, Verified};
use tokio::sync::OnceCell;

use super::draft::{Draft, Signing};
use super::place::Wanted;
use super::point::announce;
use super::read_back::{Standing, store_bundle};
use super::refresh::{Refreshed, refreshed, revoked};
use super::report::{Blocked, Moved, Waiting};
use super::{Ancestry, InForce, Relation, TRIES};
use crate::blocking::blocking;
use crate::compile::CompiledBundle;
use crate::plan::{self, Held, Plan, Way};
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
    pub(super) rules: &'r InForce,
    pub(super) bundle: &'r Arc<CompiledBundle>,
    /// The bundle that the region got of the commit before, if it is at hand.
    pub(super) before: Option<&'r Arc<CompiledBundle>>,
    /// Shared by all regions that get this bundle: whoever needs it first uploads it.
    pub(super) storing: &'r Storing,
}

/// The storing of one bundle, for all regions that get it.
#[derive(Default)]
pub(super) struct Storing {
    standing: OnceCell<Standing>,
    /// What the regions that need it ran when they were planned.
    ran: OnceLock<Vec<(Region, Verified<Pointer>)>>,
}

impl Storing {
    /// What came of it, once it was done.
    pub(super) fn standing(&self) -> Option<&Standing> {
        self.standing.get()
    }

    /// Says what the regions run that need it: patches are made against that.
    pub(super) fn replaces(&self, ran: Vec<(Region, Verified<Pointer>)>) {
        // Planned once more, after a race: the bundle is stored by then.
        let _ = self.ran.set(ran);
    }
}

/// A plan, and the state of the region that it was made from.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// By which way, where there is a new bundle.
    pub(super) way: Way,
    pub(super) state: RegionState,
}

impl Planned {
    /// Whether the region is to have a bundle that it does not run.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.plan, Plan::Publish { .. })
    }

    pub(super) fn is_staged(&self) -> bool {
        self.is_new() && self.way == Way::Staged
    }

    pub(super) fn needs_the_bundle(&self) -> bool {
        self.is_new() && matches!(self.way, Way::Direct | Way::Staged)
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
    /// Settles the region, where this publisher moves pointers, and plans it for itself: as if what is new went to everyone at
    /// once.
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
            let follows = self.check_follows(&newest.commit).await;
            match follows {
                // What a stolen key named last, before the epoch that ended it, does not keep the region for ever.
                Err(RegionFault::Apart { .. }) if newest.epoch < epoch => {}
                follows => follows.map_err(|fault| state.error(fault))?,
            }
        }
        Ok(Planned { plan, way: Way::Direct, state })
    }

    /// Does what was planned. A race that is lost throws the plan away: the next one is made from the store.
    pub(super) async fn carry_out(&self, mut planned: Planned) -> Result<Done, RegionError> {
        for _ in 0..TRIES {
            let moves = planned.needs_the_bundle() && planned.way == Way::Direct;
            let Planned { plan, way, state } = planned;
            if let (false, Some(refused)) = (moves, revoked(self.publisher, &state)) {
                return Err(refused);
            }
            let standing = state.newest.as_ref().map(|newest| newest.order());
            if let Some(what) = self.try_once(plan, way, state).await? {
                let order = match &what {
                    What::Moved(moved) | What::Refreshed(moved) => Some(moved.order),
                    What::Nothing | What::Blocked(_) | What::Waiting(_) => standing,
                };
                return Ok(Done::of(what, self.app.clone(), self.region.clone(), order));
            }
            planned = self.plan().await?;
            let newest = planned.state.newest.as_ref();
            if planned.is_new() && newest.is_some_and(|newest| newest.freeze || newest.candidate.is_some()) {
                // By which way it goes then is a question for the whole app.
                return Err(self.stays(RegionFault::LostRace { tries: 1 }));
            }
        }
        Err(self.stays(RegionFault::LostRace { tries: TRIES }))
    }

    /// None where another publisher was first.
    async fn try_once(&self, plan: Plan, way: Way, state: RegionState) -> Result<Option<What>, RegionError> {
        let (app, region) = (self.app, self.region);
        let held = |why: Held| {
            let (app, region) = (app.clone(), region.clone());
            What::Blocked(Blocked { app, region, digest: self.bundle.summary.digest, why })
        };
        // What is done instead, where the pointer that stands is at most signed afresh.
        let (instead, refresh) = match (plan, way) {
            (Plan::Publish { order, .. }, Way::Direct) => return self.forward(order, state).await,
            (Plan::Unchanged, _) => (What::Nothing, None),
            (Plan::Refresh { order }, _) => (What::Nothing, Some(order)),
            (Plan::Blocked { refresh }, _) => (held(Held::ByHand), refresh),
            (Plan::Publish { refresh, .. }, Way::Held(why)) => (held(why), refresh),
            (Plan::Publish { refresh, .. }, Way::Staged | Way::UnderWay) => (What::Nothing, refresh),
        };
        let Some(order) = refresh else { return Ok(Some(instead)) };
        Ok(match (refreshed(self.publisher, state, order).await?, instead) {
            (Refreshed::Moved(moved), What::Nothing) => Some(What::Refreshed(moved)),
            (Refreshed::Moved(_), instead) => Some(instead),
            (Refreshed::Waiting(waiting), _) => Some(What::Waiting(waiting)),
            (Refreshed::LostRace, _) => None,
        })
    }

    /// Announces the bundle to everyone. None where another publisher was first.
    async fn forward(&self, order: Order, state: RegionState) -> Result<Option<What>, RegionError> {
        let (app, region) = (self.app, self.region);
        Ok(match self.stored().await? {
            Standing::Waiting(waiting) => Some(What::Waiting(waiting.clone())),
            Standing::Stored(stored) => {
                let signing = Signing::under(order, self.publisher);
                let (newest, commit) = (state.newest.as_ref(), self.commit.id().clone());
                let draft = Draft::forward(newest, (app, region), stored.target(), commit, signing);
                announce(self.publisher, state, draft).await?.map(What::Moved)
            }
        })
    }

    /// The bundle, in the store and read back, or what it waits for.
    pub(super) async fn stored(&self) -> Result<&Standing, RegionError> {
        let storing = async || {
            let ran = self.storing.ran.get().cloned().unwrap_or_default();
            let wanted = Wanted { bundle: Arc::clone(self.bundle), ran, before: self.before.cloned() };
            store_bundle(self.publisher, self.commit, self.ancestry, wanted).await
        };
        self.storing.standing.get_or_try_init(storing).await.map_err(|error| self.stays(Box::new(error)))
    }

    /// Refuses to publish a commit over one that it does not descend from: that would undo what others published.
    pub(super) async fn check_follows(&self, standing: &CommitId) -> Result<(), RegionFault> {
        let (offered, standing) = (self.commit.id().clone(), standing.clone());
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

    pub(super) fn stays(&self, fault: impl Into<RegionFault>) -> RegionError {
        RegionError { app: self.app.clone(), region: self.region.clone(), fault: fault.into() }
    }
}
