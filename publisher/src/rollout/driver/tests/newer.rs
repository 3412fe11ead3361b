//! What a newer commit does to a rollout that is under way.

use super::*;
use crate::plan::Held;

#[tokio::test]
async fn a_newer_commit_takes_the_place_of_the_one_under_way() {
    let mut scene = Scene::new(policy()).await;
    let (second, third) = (scene.bench.tip("2", "2"), scene.bench.tip("3", "3"));
    scene.publish(&second).await;
    scene.until(is_wave(1)).await;
    let report = scene.publish(&third).await;
    assert_eq!(report.begun.len(), 1);
    assert_eq!(scene.standing().await, scene.stable(&scene.first), "the candidate is withdrawn before the next begins");
    let status = scene.end().await;
    assert_eq!((status.stage, status.commit), (Stage::Ended(End::Complete), third.commit.id().clone()));
    assert_eq!(scene.standing().await, scene.stable(&third));
    scene.bench.check().await;
}

#[tokio::test]
async fn a_policy_may_let_newer_commits_wait_but_no_revert() {
    let mut scene = Scene::new(Policy { newer: Newer::Wait, ..policy() }).await;
    let (second, third) = (scene.bench.tip("2", "2"), scene.bench.tip("3", "3"));
    scene.publish(&second).await;
    scene.until(is_wave(0)).await;
    let report = scene.publish(&third).await;
    assert!(report.begun.is_empty() && !report.is_handed_over(), "{report:?}");
    assert!(matches!(report.blocked[0].why, Held::Waits { .. }));
    assert_eq!(scene.end().await.stage, Stage::Ended(End::Complete));
    assert_eq!(scene.publish(&third).await.begun.len(), 1);
    scene.until(is_wave(0)).await;
    let revert = scene.bench.tip("2", "2");
    let report = scene.publish(&revert).await;
    assert!(report.is_handed_over() && report.begun.is_empty(), "{report:?}");
    assert_eq!(scene.standing().await, scene.stable(&second));
}

#[tokio::test]
async fn a_revert_in_the_middle_reaches_everyone_at_once_and_its_own_revert_goes_by_waves() {
    let mut scene = Scene::new(policy()).await;
    let second = scene.bench.tip("2", "2");
    scene.publish(&second).await;
    // `eu` is done, `us` is under way.
    scene.until(is_wave(2)).await;
    let revert = scene.bench.tip("1", "1");
    scene.publish(&revert).await;
    assert_eq!(scene.standing().await, scene.stable(&scene.first), "in one go, whatever each region had");
    let status = scene.beat().await.expect("it is shown");
    assert_eq!(status.stage, Stage::Ended(End::Superseded { by: revert.commit.id().clone() }));

    let again = scene.bench.tip("2", "2");
    let report = scene.publish(&again).await;
    assert_eq!((report.moved.len(), report.begun.len()), (0, 1), "it has to prove itself again: {report:?}");
    assert_eq!(scene.end().await.stage, Stage::Ended(End::Complete));
    assert_eq!(scene.standing().await, scene.stable(&second));
    scene.bench.check().await;
}

#[tokio::test]
async fn a_revert_of_what_failed_lifts_the_block_and_the_next_try_goes_by_waves() {
    let mut scene = Scene::new(policy()).await;
    let bad = scene.bench.tip("bad", "bad");
    scene.agents.become_(20, Nature::Breaks(bad.digest("eu")));
    scene.publish(&bad).await;
    scene.end().await;
    assert_eq!(scene.publish(&bad).await.blocked.len(), 2);
    let revert = scene.bench.tip("1", "1");
    let report = scene.publish(&revert).await;
    assert!(report.moved.is_empty() && report.blocked.is_empty(), "it runs already: {report:?}");
    scene.agents.become_(20, Nature::Good);
    let again = scene.bench.tip("bad", "bad");
    assert_eq!(scene.publish(&again).await.begun.len(), 1, "not blocked any more, and not at once");
    assert_eq!(scene.end().await.stage, Stage::Ended(End::Complete));
}

#[tokio::test]
async fn a_commit_that_asks_for_the_same_leaves_the_rollout_alone() {
    let mut scene = Scene::new(policy()).await;
    let second = scene.bench.tip("2", "2");
    scene.publish(&second).await;
    scene.until(is_wave(1)).await;
    let same = scene.bench.tip("2", "2");
    let report = scene.publish(&same).await;
    assert!(report.begun.is_empty() && report.is_handed_over(), "{report:?}");
    let status = scene.end().await;
    assert_eq!((status.id, status.commit), (schema::RolloutId::FIRST, second.commit.id().clone()));
}

#[tokio::test]
async fn f21_a_publisher_that_is_behind_ends_nobodys_rollout() {
    let mut scene = Scene::new(policy()).await;
    let first = scene.first.clone();
    let second = scene.bench.tip("2", "2");
    scene.publish(&second).await;
    scene.until(is_wave(0)).await;
    let Scene { bench, rules, .. } = &scene;
    let report =
        publish(&bench.publisher, &first.commit, &first.compilation, Before::Unknown, rules, &first.ancestry).await;
    assert!(!report.failed.is_empty(), "{report:?}");
    assert_eq!(scene.end().await.stage, Stage::Ended(End::Complete));
}

#[tokio::test]
async fn a_commit_that_failed_does_not_bring_the_rules_for_the_next() {
    let mut scene = Scene::new(policy()).await;
    let bad = scene.bench.tip("bad", "bad");
    scene.agents.become_(20, Nature::Breaks(bad.digest("eu")));
    scene.publish(&bad).await;
    scene.end().await;
    // The bad commit had lifted the waves, and counts as the last one.
    scene.rules = InForce { base: Some(bad.commit.id().clone()), policies: BTreeMap::new() };
    let next = scene.bench.tip("3", "3");
    let report = scene.publish(&next).await;
    assert_eq!((report.moved.len(), report.begun.len()), (0, 1), "{report:?}");
    // After another commit was accepted, its rules are in force.
    scene.end().await;
    scene.rules = InForce { base: Some(next.commit.id().clone()), policies: BTreeMap::new() };
    let free = scene.bench.tip("4", "4");
    assert_eq!(scene.publish(&free).await.moved.len(), 2);
}

#[tokio::test]
async fn a_revert_of_several_commits_waits_for_no_rollout_either() {
    let mut scene = Scene::new(Policy { newer: Newer::Wait, ..policy() }).await;
    let (second, third) = (scene.bench.tip("2", "2"), scene.bench.tip("3", "3"));
    scene.publish(&second).await;
    assert_eq!(scene.end().await.stage, Stage::Ended(End::Complete));
    scene.publish(&third).await;
    scene.until(is_wave(1)).await;
    // Not what the rollout began with, but what was good before that.
    let revert = scene.bench.tip("1", "1");
    let report = scene.publish(&revert).await;
    assert!(report.is_handed_over() && report.begun.is_empty(), "{report:?}");
    assert_eq!(scene.standing().await, scene.stable(&scene.first));
    scene.bench.check().await;
}
