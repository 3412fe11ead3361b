//! Rollouts in a running publisher: from a commit to what everyone runs, with agents in memory that follow the pointers.

use schema::control::{Command, What};
use schema::rollout::{End, Stage};

use super::*;
use crate::control::{Orders, orders};
use crate::fixture::at;
use crate::rollout::driver::tests::agents::{Agents, Nature};

const STAGED: &str = "regions: { eu: {}, us: {} }\napps: { web: { path: web, rollout: quick } }\n\
    rollouts:\n  quick:\n    waves: [ { regions: [eu], share: 50%, soak: 0s }, { regions: ['*'], share: 100%, soak: 0s } ]\n\
    \x20   gate: { applied: 99%, failed_at_most: 1, within: 30s }\n";

/// A publisher that runs, agents that follow it, and somebody who commands it.
struct Staged {
    site: Site,
    daemon: Running,
    agents: Agents,
    orders: Orders,
    following: JoinSet<()>,
}

impl Staged {
    async fn start(document: &str) -> Staged {
        let mut site = Site::new();
        site.commit_tree(&site.tree(document, "1"));
        site.once().await.expect("the first bundle of a region goes to everyone");
        Staged::over(site).await
    }

    async fn over(site: Site) -> Staged {
        let publisher = site.publisher();
        let agents = Agents::new(&["eu", "us"], 4, schema::Timestamp::UNIX_EPOCH);
        agents.answer(&publisher, &bench::app()).await;
        let (following, answering) = (JoinSet::new(), agents.clone());
        let (orders, commands) = orders();
        let daemon = Site::run_with(site.config(), site.publisher(), Arc::new(agents.clone()), commands);
        let mut staged = Staged { site, daemon, agents, orders, following };
        staged.following.spawn(async move {
            loop {
                answering.answer(&publisher, &bench::app()).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        staged
    }

    async fn ended(&mut self, commit: &CommitId) -> Stage {
        let is_it = |status: &PublisherStatus| {
            status.rollouts.iter().any(|it| it.commit == *commit && matches!(it.stage, Stage::Ended(_)))
        };
        self.daemon.until(is_it).await.rollouts.remove(0).stage
    }

    async fn command(&self, what: What) {
        self.orders.give("olga", Command { what, why: "because".into() }).await.expect("it is done");
    }

    async fn stop(mut self) -> Site {
        self.following.shutdown().await;
        self.daemon.stop().await;
        self.site
    }
}

#[tokio::test]
async fn a_commit_is_accepted_at_once_and_comes_to_everyone_by_waves() {
    let mut staged = Staged::start(STAGED).await;
    let second = staged.site.commit_tree(&staged.site.tree(STAGED, "2"));
    let status = staged.daemon.until(|status| status.published.as_ref() == Some(&second)).await;
    assert!(status.problem.is_none(), "{status:?}");
    assert_eq!(staged.ended(&second).await, Stage::Ended(End::Complete));
    let said = staged.daemon.event().await;
    assert!(matches!(&said, Event::Published { commit, .. } if *commit == second), "{said:?}");
    let site = staged.stop().await;
    assert!(site.standing().await.iter().all(|(_, commit)| *commit == second));
    // A start at the same tip finds nothing to do.
    let looked = site.once().await.expect("all is well");
    assert!(looked.report.moved.is_empty() && looked.report.begun.is_empty(), "{looked:?}");
    assert_eq!(looked.rollouts.len(), 1);
}

#[tokio::test]
async fn no_commit_lifts_its_own_waves_and_what_failed_stays_away_and_says_why() {
    let mut staged = Staged::start(STAGED).await;
    let free = STAGED.replace("rollout: quick", "rollout: all-at-once");
    let tree = staged.site.tree(&free, "bad");
    let compiled = crate::compile::compile(
        &crate::compile::GitObjects::of(&staged.site.repo.git).expect("a repository"),
        &tree,
        &schema::Limits::DEFAULT,
    );
    let bad = compiled.expect("it compiles").bundles[&(bench::app(), bench::region("eu"))].summary.digest;
    staged.agents.become_(4, Nature::Breaks(bad));
    staged.site.seconds += 1;
    let parents: Vec<CommitId> = staged.site.tip.iter().cloned().collect();
    let (repo, time) = (&staged.site.repo, at(staged.site.seconds));
    let said = "faster\n\nDriftless-Allow: rollout\n";
    let tip = repo.alice.commit(&repo.git, "main", &parents, &tree, said, time).expect("it commits");
    staged.site.tip = Some(tip.clone());
    let stage = staged.ended(&tip).await;
    let Stage::Ended(End::Failed { why }) = &stage else { panic!("{stage:?}") };
    assert!(staged.agents.peak(bad) <= 2, "half of one region");
    let blocked = |status: &PublisherStatus| status.notes.iter().any(|note| note.contains(why.as_ref()));
    let status = staged.daemon.until(blocked).await;
    assert!(status.rollouts[0].blocked && status.problem.is_none(), "{status:?}");

    // Nor does it lift those of the next one.
    let third = staged.site.commit_tree(&staged.site.tree(&free, "3"));
    assert_eq!(staged.ended(&third).await, Stage::Ended(End::Complete));
    staged.stop().await;
}

#[tokio::test]
async fn a_frozen_region_gets_its_commit_when_it_is_let_go() {
    let mut staged = Staged::start(DOCUMENT).await;
    staged.command(What::Freeze { app: None, region: Some(bench::region("us")) }).await;
    let first = staged.site.tip.clone().expect("committed");
    let second = staged.site.commit_tree(&staged.site.tree(DOCUMENT, "2"));
    let frozen = |status: &PublisherStatus| status.notes.iter().any(|note| note.contains("olga: because"));
    let status = staged.daemon.until(frozen).await;
    assert_eq!(status.published.as_ref(), Some(&first), "it is not done with");
    staged.command(What::Unfreeze { app: None, region: None }).await;
    let status = staged.daemon.until(|status| status.published.as_ref() == Some(&second)).await;
    assert!(status.notes.is_empty(), "{status:?}");
    let site = staged.stop().await;
    assert!(site.standing().await.iter().all(|(_, commit)| *commit == second));
}

#[tokio::test]
async fn what_waits_for_a_rollout_goes_on_when_that_is_over() {
    let waiting = STAGED.replace("    gate:", "    newer: wait\n    gate:");
    let mut staged = Staged::start(&waiting).await;
    staged.command(What::Freeze { app: None, region: None }).await;
    staged.command(What::Unfreeze { app: None, region: None }).await;
    let second = staged.site.commit_tree(&staged.site.tree(&waiting, "2"));
    staged.daemon.until(|status| status.rollouts.iter().any(|rollout| rollout.commit == second)).await;
    let third = staged.site.commit_tree(&staged.site.tree(&waiting, "3"));
    assert_eq!(staged.ended(&third).await, Stage::Ended(End::Complete));
    let status = staged.daemon.until(|status| status.published.as_ref() == Some(&third)).await;
    assert_eq!(status.rollouts[0].id.number(), 2);
    staged.stop().await;
}

#[tokio::test]
async fn without_anybody_to_answer_a_plan_of_times_alone_is_announced_at_once() {
    let timed = "regions: { eu: {}, us: {} }\napps: { web: { path: web, rollout: slowly } }\nrollouts:\n  slowly:\n    \
        waves: [ { regions: [eu], share: 50%, soak: 1h }, { regions: ['*'], share: 100%, soak: 0s } ]\n    gate: none\n";
    let mut site = Site::new();
    site.commit_tree(&site.tree(timed, "1"));
    site.once().await.expect("published");
    site.commit_tree(&site.tree(timed, "2"));
    let looked = site.once().await.expect("accepted");
    assert_eq!((looked.report.begun.len(), looked.rollouts.len()), (1, 1), "{looked:?}");
    let publisher = site.publisher();
    for name in ["eu", "us"] {
        let settled = crate::region::settle(&publisher, &bench::app(), &bench::region(name)).await.expect("a region");
        let newest = settled.newest.expect("a pointer");
        let candidate = newest.candidate.as_ref().expect("the plan");
        assert!(candidate.slices().all(|slice| slice.not_before.is_some()), "{name}: {candidate:?}");
    }
}
