//! The first record of a rollout: nothing is pointed, nobody is counted.

use std::collections::BTreeMap;

use schema::pointer::Target;
use schema::pointer::{Cause, Deed};
use schema::rollout::{Leg, Place, Policy, Rollout, RolloutId, Stage};
use schema::{App, CommitId, Order, Region, Timestamp};

/// What a rollout begins with.
#[derive(Clone, Debug)]
pub struct Start {
    /// Whose configuration.
    pub app: App,
    /// Its number.
    pub id: RolloutId,
    /// The commit that is rolled out.
    pub commit: CommitId,
    /// The rules it goes by.
    pub policy: Policy,
    /// The regions it reaches; at least one.
    pub regions: BTreeMap<Region, Departure>,
    /// A random number: nobody who writes commits may know in advance which agents come first.
    pub seed: u64,
    /// The time.
    pub now: Timestamp,
}

/// What a rollout changes in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// What is stable there.
    pub from: Target,
    /// The commit that brought it.
    pub from_commit: CommitId,
    /// What is to be.
    pub to: Target,
    /// The region's newest pointer.
    pub based_on: Order,
}

/// The first state of a rollout.
pub fn begin(start: Start) -> Rollout {
    let Start { app, id, commit, policy, regions, seed, now } = start;
    let leg = |Departure { from, from_commit, to, based_on }| Leg {
        from,
        from_commit,
        to,
        based_on,
        place: Place::Untouched,
        fleet: 0,
        shares: Vec::new(),
    };
    let why = format!("commit {} goes by policy `{}`", commit.short(), policy.name);
    Rollout {
        app,
        id,
        n: 1,
        at: now,
        commit,
        policy,
        salt: format!("{seed:016x}").into(),
        stage: Stage::Waiting { since: now },
        paused: None,
        regions: regions.into_iter().map(|(region, departure)| (region, leg(departure))).collect(),
        cause: Cause::own(Deed::Begin, &why),
    }
}
