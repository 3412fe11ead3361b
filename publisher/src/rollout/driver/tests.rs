//! Rollouts on a real store, by a real repository's commits, with agents in memory that follow the pointers.

pub(crate) mod agents;
mod commands;
mod crash;
mod liars;
mod newer;

use schema::rollout::{
    Budget, End, Gate, Newer, OnFailure, Place, Policy, Prepare, QuarantineRule, RegionSet, Reverts, Share, Stage, Wave,
};
use schema::status::RolloutStatus;
use schema::time::Length;

use super::*;
use crate::bench::{Bench, Tip, app, region};
use crate::publish::{Before, InForce, Report, publish};
use agents::{Agents, Nature};

/// One agent in ten, then all of `eu`, then everybody.
pub(crate) fn policy() -> Policy {
    let wave = |regions: &[&str], percent: u16| Wave {
        regions: match regions {
            [] => RegionSet::All,
            named => RegionSet::Named(named.iter().map(|name| region(name)).collect()),
        },
        share: Share(percent * 100),
        when: Default::default(),
        soak: seconds(2),
    };
    Policy {
        name: "careful".into(),
        prepare: Prepare::Yes,
        waves: vec![wave(&["eu"], 10), wave(&["eu"], 100), wave(&[], 100)],
        gate: Some(Gate {
            applied: Share(9_900),
            failed_at_most: Budget { percent: Share(100), number: 0 },
            within: seconds(60),
            checks: Vec::new(),
        }),
        on_failure: OnFailure::Rollback,
        windows: Vec::new(),
        freezes: Vec::new(),
        spread: seconds(0),
        confirm_within: None,
        quarantine: QuarantineRule { after: 0, at_most: Budget { percent: Share(1_000), number: 1 } },
        reverts: Reverts::AtOnce,
        newer: Newer::Supersede,
        live_within: seconds(90),
    }
}

pub(crate) fn seconds(seconds: u64) -> Length {
    Length(Duration::from_secs(seconds))
}

/// A publisher, its driver, and twenty agents in each of two regions that run the first commit.
pub(crate) struct Scene {
    pub(crate) bench: Bench,
    pub(crate) agents: Agents,
    pub(crate) driver: Driver,
    pub(crate) rules: InForce,
    pub(crate) first: Tip,
}

impl Scene {
    pub(crate) async fn new(policy: Policy) -> Scene {
        let mut bench = Bench::new();
        let first = bench.tip("1", "1");
        bench.publish(&first).await;
        let agents = Agents::new(&["eu", "us"], 20, bench.publisher.now());
        bench.pass(Duration::from_secs(100));
        agents.answer(&bench.publisher, &app()).await;
        let driver = Driver::new(Arc::new(agents.clone()), BTreeMap::new());
        let rules = InForce { base: Some(first.commit.id().clone()), policies: [(app(), policy)].into() };
        Scene { bench, agents, driver, rules, first }
    }

    /// A second life of the same publisher: nothing is remembered.
    pub(crate) fn restart(&mut self) {
        self.driver = Driver::new(Arc::new(self.agents.clone()), BTreeMap::new());
    }

    pub(crate) async fn publish(&self, tip: &Tip) -> Report {
        let report =
            publish(&self.bench.publisher, &tip.commit, &tip.compilation, Before::Unknown, &self.rules, &tip.ancestry)
                .await;
        assert!(report.failed.is_empty(), "{report:?}");
        report
    }

    /// One turn, agents that answer, and a second that passes.
    pub(crate) async fn beat(&mut self) -> Option<RolloutStatus> {
        self.driver.look_again(None);
        let turned = self.driver.turn(&self.bench.publisher).await;
        assert!(turned.failed.is_empty(), "{:?}", turned.failed);
        self.agents.answer(&self.bench.publisher, &app()).await;
        self.bench.pass(Duration::from_secs(1));
        turned.rollouts.into_iter().next()
    }

    /// Goes on until the newest rollout's status is as wanted.
    pub(crate) async fn until(&mut self, holds: impl Fn(&RolloutStatus) -> bool) -> RolloutStatus {
        let mut last = None;
        for _ in 0..400 {
            last = self.beat().await;
            if let Some(status) = last.as_ref().filter(|status| holds(status)) {
                return status.clone();
            }
        }
        panic!("it never came to hold: {last:?}")
    }

    pub(crate) async fn end(&mut self) -> RolloutStatus {
        self.until(|status| matches!(status.stage, Stage::Ended(_))).await
    }

    /// What is stable in each region, and whether anything is under way there.
    pub(crate) async fn standing(&self) -> [(Digest, bool); 2] {
        let (eu, us) = (self.bench.pointer("eu").await, self.bench.pointer("us").await);
        [(eu.stable.digest, eu.candidate.is_some()), (us.stable.digest, us.candidate.is_some())]
    }

    pub(crate) fn stable(&self, tip: &Tip) -> [(Digest, bool); 2] {
        [(tip.digest("eu"), false), (tip.digest("us"), false)]
    }
}

pub(crate) fn is_wave(index: usize) -> impl Fn(&RolloutStatus) -> bool {
    move |status| matches!(status.stage, Stage::Wave { index: at, .. } if at == index)
}

#[tokio::test]
async fn a_commit_goes_through_prepare_and_waves_until_it_is_stable_everywhere() {
    let mut scene = Scene::new(policy()).await;
    let second = scene.bench.tip("2", "2");
    let report = scene.publish(&second).await;
    assert_eq!((report.moved.len(), report.begun.len(), report.is_handed_over()), (0, 1, true));
    assert_eq!(scene.standing().await, scene.stable(&scene.first), "a record is no pointer");

    let status = scene.until(|status| matches!(status.stage, Stage::Preparing { everyone: false, .. })).await;
    assert_eq!((status.commit, status.id), (second.commit.id().clone(), schema::RolloutId::FIRST));
    scene.until(|status| matches!(status.stage, Stage::Preparing { everyone: true, .. })).await;
    assert_eq!(scene.agents.peak(second.digest("eu")), 0, "nobody switched before everybody was ready");
    scene.until(is_wave(0)).await;
    scene.beat().await;
    assert!((1..=2).contains(&scene.agents.on(second.digest("eu"))), "at most one in ten of twenty, and at least one");
    assert_eq!(scene.agents.on(second.digest("us")), 0);
    scene.until(is_wave(1)).await;
    scene.until(is_wave(2)).await;
    assert_eq!(scene.agents.on(second.digest("eu")), 20);
    let status = scene.end().await;
    assert_eq!(status.stage, Stage::Ended(End::Complete));
    assert!(status.regions.iter().all(|leg| leg.place == Place::Stable), "{status:?}");
    assert_eq!(scene.standing().await, scene.stable(&second));
    scene.bench.check().await;
    // The same commit again asks for nothing.
    let report = scene.publish(&second).await;
    assert!(report.moved.is_empty() && report.begun.is_empty() && report.blocked.is_empty(), "{report:?}");
}

#[tokio::test]
async fn what_fails_is_taken_back_by_itself_and_stays_away_through_restarts() {
    let mut scene = Scene::new(policy()).await;
    let bad = scene.bench.tip("bad", "bad");
    scene.agents.become_(20, Nature::Breaks(bad.digest("eu")));
    scene.publish(&bad).await;
    let status = scene.end().await;
    let Stage::Ended(End::Failed { why }) = &status.stage else { panic!("{status:?}") };
    assert!(status.blocked && !why.is_empty(), "{status:?}");
    assert!(scene.agents.peak(bad.digest("eu")) <= 2, "no more than the first wave");
    scene.beat().await;
    assert_eq!(scene.standing().await, scene.stable(&scene.first));
    for _ in 0..2 {
        scene.restart();
        let report = scene.publish(&bad).await;
        assert!(report.moved.is_empty() && report.begun.is_empty() && report.is_handed_over(), "{report:?}");
        assert_eq!(report.blocked.len(), 2);
        assert!(matches!(&report.blocked[0].why, crate::plan::Held::Failed { why: said } if said == why));
        scene.beat().await;
    }
    // Something else supersedes it.
    let good = scene.bench.tip("good", "good");
    scene.publish(&good).await;
    assert_eq!(scene.end().await.stage, Stage::Ended(End::Complete));
    assert_eq!(scene.standing().await, scene.stable(&good));
    scene.bench.check().await;
}

#[tokio::test]
async fn what_hosts_cannot_get_ready_is_switched_to_by_nobody() {
    let mut scene = Scene::new(policy()).await;
    let bad = scene.bench.tip("bad", "bad");
    scene.agents.become_(3, Nature::NotReady(bad.digest("eu")));
    scene.publish(&bad).await;
    let status = scene.end().await;
    assert!(matches!(status.stage, Stage::Ended(End::Failed { .. })), "{status:?}");
    assert_eq!((scene.agents.peak(bad.digest("eu")), scene.agents.peak(bad.digest("us"))), (0, 0));
}

#[tokio::test]
async fn a_publisher_that_hears_nobody_lets_nothing_pass() {
    let mut scene = Scene::new(policy()).await;
    let second = scene.bench.tip("2", "2");
    scene.publish(&second).await;
    scene.driver = Driver::new(Arc::new(crate::rollout::NoFleet), BTreeMap::new());
    for _ in 0..100 {
        scene.beat().await;
    }
    assert_eq!(scene.standing().await.map(|(stable, _)| stable), scene.stable(&scene.first).map(|(stable, _)| stable));
    assert_eq!(scene.agents.peak(second.digest("eu")), 0);
}
