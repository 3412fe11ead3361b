//! Dying at every write of a rollout, and failing at each: the end is that of one that nothing disturbed.

use std::iter::{once, repeat_n};

use store::faulty::Fault;

use super::*;

/// The stages and places that a rollout of the second commit comes through, for good or for bad.
async fn undisturbed(bad: bool) -> (usize, [(Digest, bool); 2], Stage) {
    let (mut scene, tip) = begun(bad).await;
    let (counter, publisher) = scene.bench.faulty();
    scene.bench.publisher = publisher;
    let status = scene.end().await;
    scene.beat().await;
    let _ = tip;
    (counter.writes_seen(), scene.standing().await, status.stage)
}

async fn begun(bad: bool) -> (Scene, Tip) {
    let mut scene = Scene::new(policy()).await;
    let tip = scene.bench.tip("2", "2");
    if bad {
        scene.agents.become_(20, Nature::Breaks(tip.digest("eu")));
    }
    scene.publish(&tip).await;
    (scene, tip)
}

#[tokio::test]
async fn f23_a_driver_that_dies_at_any_write_is_followed_by_one_that_finishes() {
    for bad in [false, true] {
        let (writes, expected, stage) = undisturbed(bad).await;
        assert!(writes > 6, "records and pointers: {writes}");
        for write in 0..writes {
            for last in [Fault::Hang, Fault::HangAfter] {
                let (mut scene, _) = begun(bad).await;
                let sound = scene.bench.publisher.clone();
                let (faulty, publisher) = scene.bench.faulty();
                // From this write on nothing is answered, so this is where it dies.
                faulty
                    .fail_writes(repeat_n(None, write).chain(once(Some(last))).chain(repeat_n(Some(Fault::Hang), 99)));
                scene.bench.publisher = publisher;
                let dead = async {
                    while faulty.writes_seen() <= write {
                        tokio::task::yield_now().await;
                    }
                };
                tokio::select! {
                    biased;
                    status = scene.end() => panic!("it was to die first: {status:?}"),
                    () = dead => {}
                }
                scene.bench.publisher = sound;
                scene.restart();
                let status = scene.end().await;
                scene.beat().await;
                assert_eq!(kind(&status.stage), kind(&stage), "{last:?} at write {write}: {status:?}");
                assert_eq!(scene.standing().await, expected, "{last:?} at write {write}");
                scene.bench.check().await;
            }
        }
    }
}

#[tokio::test]
async fn f21_two_drivers_over_one_store_make_one_rollout() {
    for bad in [false, true] {
        let (_, expected, stage) = undisturbed(bad).await;
        let (mut scene, _) = begun(bad).await;
        let mut other = Driver::new(Arc::new(scene.agents.clone()), BTreeMap::new());
        let mut ended = None;
        for _ in 0..400 {
            let publisher = scene.bench.publisher.clone();
            other.look_again(None);
            let (turned, status) = tokio::join!(other.turn(&publisher), scene.beat());
            assert!(turned.failed.is_empty(), "{:?}", turned.failed);
            ended = status.filter(|status| matches!(status.stage, Stage::Ended(_)));
            if ended.is_some() {
                break;
            }
        }
        scene.beat().await;
        assert_eq!(ended.map(|status| kind(&status.stage)), Some(kind(&stage)));
        assert_eq!(scene.standing().await, expected);
        scene.bench.check().await;
    }
}

#[tokio::test]
async fn a_state_that_does_not_verify_is_told_and_never_taken_for_none() {
    let (mut scene, tip) = begun(false).await;
    scene.until(is_wave(0)).await;
    let store = &scene.bench.publisher.store;
    let n = store.states(&app(), schema::RolloutId::FIRST).await.expect("a listing").pop().expect("states") + 1;
    let path = schema::StorePath::Rollout { app: app(), id: schema::RolloutId::FIRST, n };
    scene.bench.put(&path, "nonsense").await;
    scene.driver.look_again(None);
    let turned = scene.driver.turn(&scene.bench.publisher).await;
    assert_eq!(turned.failed.len(), 1, "{turned:?}");
    assert_eq!(turned.failed[0].kind(), crate::ErrorKind::Refused);
    assert!(turned.failed[0].hint().is_some_and(|hint| hint.contains(&path.to_string())));
    let Scene { bench, rules, .. } = &scene;
    let report = publish(&bench.publisher, &tip.commit, &tip.compilation, Before::Unknown, rules, &tip.ancestry).await;
    assert!(!report.failed.is_empty() && report.begun.is_empty() && report.moved.is_empty(), "{report:?}");
    // Whoever removes it has the rollout back.
    scene.bench.remove(&path).await;
    assert_eq!(scene.end().await.stage, Stage::Ended(End::Complete));
}

fn kind(stage: &Stage) -> &'static str {
    match stage {
        Stage::Ended(End::Complete) => "complete",
        Stage::Ended(End::Failed { .. }) => "failed",
        Stage::Ended(End::Aborted { .. }) => "aborted",
        Stage::Ended(End::Superseded { .. }) => "superseded",
        Stage::Waiting { .. } | Stage::Preparing { .. } | Stage::Wave { .. } => "under way",
    }
}
