//! What operators do to rollouts and regions.

use schema::control::{Command, Done, What};
use schema::pointer::Deed;

use super::*;
use crate::control::CommandError;
use crate::plan::Held;
use crate::rollback::{RollbackTarget, rollback};

impl Scene {
    async fn command(&mut self, what: What) -> Result<Done, CommandError> {
        let command = Command { what, why: "because".into() };
        self.driver.obey(&self.bench.publisher, "olga", &command).await
    }

    async fn beats(&mut self, count: usize) {
        for _ in 0..count {
            self.beat().await;
        }
    }
}

#[tokio::test]
async fn pause_holds_resume_goes_on_and_promote_does_not_wait() {
    let mut scene = Scene::new(policy()).await;
    let second = scene.bench.tip("2", "2");
    let app = app();
    let none = scene.command(What::Pause { app: app.clone() }).await;
    assert!(matches!(none, Err(CommandError::Unknown { .. })), "{none:?}");
    scene.publish(&second).await;
    scene.until(is_wave(0)).await;
    let done = scene.command(What::Pause { app: app.clone() }).await.expect("it is under way");
    assert_eq!((done.who.as_ref(), done.changed.len()), ("olga", 1));
    assert_eq!(scene.command(What::Pause { app: app.clone() }).await.expect("it is so").changed, [""; 0]);
    scene.beats(30).await;
    let status = scene.beat().await.expect("it is there");
    assert!(is_wave(0)(&status) && status.paused.as_ref().is_some_and(|cause| *cause.who == *"olga"), "{status:?}");
    scene.restart();
    assert!(scene.beat().await.is_some_and(|status| status.paused.is_some()), "a pause outlives the publisher");
    scene.command(What::Resume { app: app.clone() }).await.expect("it goes on");
    scene.until(is_wave(1)).await;
    scene.command(What::Promote { app: app.clone() }).await.expect("it goes on");
    assert_eq!(scene.end().await.stage, Stage::Ended(End::Complete));
    let over = scene.command(What::Promote { app }).await;
    assert!(matches!(over, Err(CommandError::Refused(_))), "{over:?}");
}

#[tokio::test]
async fn an_abort_takes_all_back_and_blocks_the_commit() {
    let mut scene = Scene::new(policy()).await;
    let second = scene.bench.tip("2", "2");
    scene.publish(&second).await;
    scene.until(is_wave(1)).await;
    scene.command(What::Abort { app: app() }).await.expect("it is under way");
    assert_eq!(scene.standing().await, scene.stable(&scene.first), "the pointers are moved when it is answered");
    let cause = scene.bench.pointer("eu").await.cause.clone().expect("every such generation says why");
    assert_eq!((&*cause.who, cause.deed), ("olga", Deed::Abort));
    let report = scene.publish(&second).await;
    assert!(report.blocked.iter().all(|blocked| matches!(blocked.why, Held::Failed { .. })), "{report:?}");
    assert_eq!(report.blocked.len(), 2);
}

#[tokio::test]
async fn a_rollback_by_hand_in_the_middle_ends_the_rollout() {
    let mut scene = Scene::new(policy()).await;
    let second = scene.bench.tip("2", "2");
    scene.publish(&second).await;
    scene.until(is_wave(1)).await;
    let cause = crate::bench::cause("errors went up");
    let back = rollback(&scene.bench.publisher, &app(), &[region("eu")], &RollbackTarget::Previous, &cause).await;
    assert_eq!(back.expect("the stable bundle").len(), 1);
    let pointer = scene.bench.pointer("eu").await;
    assert_eq!((pointer.stable.digest, pointer.candidate.is_some()), (scene.first.digest("eu"), false));
    let status = scene.end().await;
    assert!(matches!(status.stage, Stage::Ended(End::Aborted { .. })), "{status:?}");
    scene.beat().await;
    assert_eq!(scene.standing().await, scene.stable(&scene.first));
    assert_eq!(scene.publish(&second).await.blocked.len(), 2, "what was taken back stays away");
}

#[tokio::test]
async fn a_freeze_stops_everything_and_survives_a_restart() {
    let mut scene = Scene::new(policy()).await;
    let second = scene.bench.tip("2", "2");
    scene.publish(&second).await;
    scene.until(is_wave(0)).await;
    let done = scene.command(What::Freeze { app: None, region: None }).await.expect("all is frozen");
    assert_eq!(done.changed.len(), 2);
    let pointer = scene.bench.pointer("eu").await;
    assert!(pointer.freeze && pointer.candidate.is_some(), "a freeze changes nothing else");
    assert_eq!(pointer.cause.as_ref().map(|cause| cause.deed), Some(Deed::Freeze));
    scene.restart();
    scene.beats(100).await;
    let status = scene.beat().await.expect("it is there");
    assert!(is_wave(0)(&status) && status.waits_for.is_some(), "{status:?}");
    let done = scene.command(What::Unfreeze { app: None, region: None }).await.expect("it goes on");
    assert_eq!(done.changed.len(), 2);
    assert_eq!(scene.end().await.stage, Stage::Ended(End::Complete));
}

#[tokio::test]
async fn nothing_is_published_to_a_frozen_region_and_it_is_said_why() {
    let mut scene = Scene::new(policy()).await;
    scene.rules = InForce::default();
    scene.command(What::Freeze { app: Some(app()), region: Some(region("us")) }).await.expect("frozen");
    let second = scene.bench.tip("2", "2");
    let report = scene.publish(&second).await;
    assert_eq!((report.moved.len(), report.blocked.len(), report.is_handed_over()), (1, 1, false));
    let Held::Frozen { why } = &report.blocked[0].why else { panic!("{report:?}") };
    assert!(why.contains("olga") && why.contains("because"), "{why}");
    scene.command(What::Unfreeze { app: Some(app()), region: None }).await.expect("it goes on");
    assert_eq!(scene.publish(&second).await.moved.len(), 1);
    assert_eq!(scene.standing().await, scene.stable(&second));
    let nowhere = scene.command(What::Freeze { app: None, region: Some(region("mars")) }).await;
    assert!(matches!(nowhere, Err(CommandError::Unknown { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn agents_are_left_out_by_hand_and_by_themselves_and_come_back() {
    let mut scene = Scene::new(policy()).await;
    let agent: schema::AgentId = "eu-007".parse().expect("a name");
    let what = What::Quarantine { app: app(), region: region("eu"), agent: agent.clone() };
    scene.command(what.clone()).await.expect("left out");
    assert_eq!(scene.bench.pointer("eu").await.quarantine, std::slice::from_ref(&agent));
    assert!(scene.command(what).await.expect("it is so").changed.is_empty());
    let release = What::Release { app: app(), region: region("eu"), agent };
    scene.command(release).await.expect("let go");
    assert!(scene.bench.pointer("eu").await.quarantine.is_empty());

    // Two generations in a row that fail, and an agent is out.
    let mut careful = policy();
    careful.quarantine.after = 2;
    careful.gate.as_mut().expect("a gate").failed_at_most.number = 1;
    scene.rules.policies.insert(app(), careful.clone());
    scene.driver.look_again(Some(&[(app(), careful)].into()));
    let second = scene.bench.tip("2", "2");
    scene.agents.become_(1, Nature::NotReady(second.digest("eu")));
    scene.publish(&second).await;
    let mut pointer = scene.bench.pointer("eu").await;
    for _ in 0..400 {
        if !pointer.quarantine.is_empty() {
            break;
        }
        // The seconds that pass are those of the bench's clock, and the driver looks at failing agents by the machine's.
        scene.driver.judged.clear();
        scene.beat().await;
        pointer = scene.bench.pointer("eu").await;
    }
    assert_eq!(pointer.quarantine, ["eu-000".parse().expect("a name")]);
    assert_eq!(pointer.cause.as_ref().map(|cause| cause.deed), Some(Deed::Quarantine));
    assert!(pointer.cause.as_ref().is_some_and(|cause| cause.why.contains("disk full")));
}

#[tokio::test]
async fn a_check_that_said_yes_to_a_wave_is_asked_again_about_the_one_an_operator_goes_on_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("broken");
    let mut asking = policy();
    asking.gate.as_mut().expect("a gate").checks = vec!["errors".into()];
    let mut scene = Scene::new(asking).await;
    let check = format!("errors: {{ command: [sh, -c, 'test ! -e {}'] }}", broken.display());
    let checks = schema::yaml::from_str("checks", &check, &schema::Limits::DEFAULT).expect("a check");
    scene.driver = Driver::new(Arc::new(scene.agents.clone()), checks);
    let second = scene.bench.tip("2", "2");
    scene.publish(&second).await;
    scene.until(is_wave(0)).await;
    scene.beats(1).await;
    scene.driver.look_again(None);
    scene.driver.turn(&scene.bench.publisher).await;
    tokio::time::timeout(Duration::from_secs(60), scene.driver.checks.answered()).await.expect("it says yes");
    std::fs::write(&broken, "").expect("a folder to write to");
    scene.command(What::Promote { app: app() }).await.expect("it goes on");
    scene.beats(20).await;
    let status = scene.beat().await.expect("it is there");
    assert!(is_wave(1)(&status), "what was said of the first wave says nothing of the second: {status:?}");
}
