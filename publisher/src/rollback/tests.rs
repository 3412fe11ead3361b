use super::*;
use crate::bench::{Bench, HOUR, Tip, app, region};
use crate::history::{RecordKind, Scope, history};
use crate::kind::ErrorKind;
use crate::publish::refresh;
use schema::{Digest, Generation, StorePath};

async fn two_generations() -> (Bench, Tip, Tip) {
    let mut bench = Bench::new();
    let (first, second) = (bench.tip("1", "1"), bench.tip("2", "2"));
    bench.publish(&first).await;
    bench.publish(&second).await;
    (bench, first, second)
}

async fn back(bench: &Bench, regions: &[&str], to: RollbackTarget) -> Result<Vec<Moved>, RollbackError> {
    let regions: Vec<Region> = regions.iter().map(|name| region(name)).collect();
    rollback(&bench.publisher, &app(), &regions, &to, &crate::bench::cause("errors went up")).await
}

#[tokio::test]
async fn going_back_is_a_new_generation_that_the_publisher_does_not_fight() {
    let (mut bench, first, second) = two_generations().await;
    let objects = bench.count().await;
    let moved = back(&bench, &["eu"], RollbackTarget::Previous).await.expect("there is a generation before");
    assert_eq!((moved.len(), moved[0].order.to_string()), (1, "e1 g3 s1".to_owned()));
    assert_eq!(bench.count().await, objects + 1, "nothing but a record is added");
    let pointer = bench.pointer("eu").await;
    assert_eq!((pointer.stable.digest, &pointer.commit), (first.digest("eu"), first.commit.id()));
    assert_eq!(pointer.withdrawn, [second.digest("eu")]);
    assert_eq!(bench.order("us").await, "e1 g2 s1");

    // The tip still asks for it: blocked, said, kept fresh, and not published.
    let report = bench.publish(&second).await;
    assert!(report.moved.is_empty() && report.blocked.len() == 1, "{report:?}");
    assert_eq!((&report.blocked[0].region, report.blocked[0].digest), (&region("eu"), second.digest("eu")));
    bench.pass(HOUR);
    assert_eq!(bench.publish(&second).await.blocked.len(), 1);
    assert_eq!(bench.order("eu").await, "e1 g3 s2");

    // A commit with other content supersedes what was taken back.
    let third = bench.tip("3", "3");
    assert_eq!(bench.publish(&third).await.moved.len(), 2);
    assert!(bench.pointer("eu").await.withdrawn.is_empty());
    bench.check().await;
}

#[tokio::test]
async fn every_way_to_name_a_generation_finds_it() {
    let (_, first, _) = two_generations().await;
    for to in [
        RollbackTarget::Generation(Generation::FIRST),
        RollbackTarget::Digest(first.digest("eu")),
        RollbackTarget::Previous,
    ] {
        let (bench, first, _) = two_generations().await;
        // A refresh in between is not mistaken for a generation.
        bench.pass(HOUR);
        refresh(&bench.publisher, [(app(), region("eu"))]).await;
        back(&bench, &["eu"], to.clone()).await.expect("it is in the history");
        assert_eq!(bench.pointer("eu").await.stable.digest, first.digest("eu"), "{to}");
    }
    let (bench, first, _) = two_generations().await;
    back(&bench, &["eu", "us"], RollbackTarget::Commit(first.commit.id().clone())).await.expect("both had it");
    assert_eq!(bench.pointer("us").await.stable.digest, first.digest("us"));
    bench.check().await;
}

#[tokio::test]
async fn what_was_taken_back_can_be_brought_back_by_hand() {
    let (bench, first, second) = two_generations().await;
    back(&bench, &["eu"], RollbackTarget::Previous).await.expect("back");
    back(&bench, &["eu"], RollbackTarget::Digest(second.digest("eu"))).await.expect("and forth");
    let pointer = bench.pointer("eu").await;
    assert_eq!((pointer.stable.digest, &pointer.withdrawn[..]), (second.digest("eu"), &[first.digest("eu")][..]));
    assert!(bench.publish(&second).await.blocked.is_empty());
    bench.check().await;
}

#[tokio::test]
async fn what_is_not_there_is_refused_with_what_is() {
    let (bench, first, second) = two_generations().await;
    let refused = back(&bench, &["eu"], RollbackTarget::Generation(Generation::new(9))).await.expect_err("no such one");
    let said = refused.fault.to_string();
    assert!(said.contains("no generation 9") && said.contains(&first.digest("eu").short()), "{said}");
    assert_eq!(refused.kind(), ErrorKind::Refused);
    let running = back(&bench, &["us"], RollbackTarget::Digest(second.digest("us"))).await.expect_err("it runs");
    assert!(matches!(running.fault, RollbackFault::Running { .. }), "{running:?}");

    // Known from one region's history is not known from the other's, and then neither moves.
    let to = RollbackTarget::Digest(first.digest("eu"));
    assert!(matches!(
        back(&bench, &["eu", "us"], to).await.expect_err("not both").fault,
        RollbackFault::Unknown { .. }
    ));
    let nowhere =
        rollback(&bench.publisher, &app(), &[region("mars")], &RollbackTarget::Previous, &crate::bench::cause(""))
            .await;
    assert!(matches!(nowhere.expect_err("never published").fault, RollbackFault::NothingPublished));
    assert_eq!(bench.order("eu").await, "e1 g2 s1");
}

#[tokio::test]
async fn a_bundle_that_is_gone_is_not_gone_back_to() {
    let (bench, first, _) = two_generations().await;
    bench.remove(&StorePath::Bundle { app: app(), digest: first.digest("eu") }).await;
    let refused = back(&bench, &["us", "eu"], RollbackTarget::Previous).await.expect_err("it is gone");
    assert!(matches!(refused.fault, RollbackFault::Bundle(_)) && refused.moved.is_empty(), "{refused:?}");
    assert_eq!(bench.order("us").await, "e1 g2 s1");
}

#[tokio::test]
async fn history_says_what_each_pointer_was_for() {
    let (bench, first, second) = two_generations().await;
    back(&bench, &["eu"], RollbackTarget::Previous).await.expect("back");
    bench.pass(HOUR);
    refresh(&bench.publisher, [(app(), region("eu"))]).await;
    let (store, roots) = (bench.publisher.store(), bench.publisher.roots());
    let all = history(store, roots, &app(), &region("eu"), Scope::Everything, 99).await.expect("a history");
    let kinds: Vec<(u64, u64, RecordKind, Digest)> = all
        .iter()
        .map(|record| (record.order.generation.number(), record.order.serial.number(), record.kind, record.digest))
        .collect();
    let (one, two) = (first.digest("eu"), second.digest("eu"));
    let expected = [
        (3, 2, RecordKind::Refresh, one),
        (3, 1, RecordKind::Rollback, one),
        (2, 1, RecordKind::Publish, two),
        (1, 1, RecordKind::Publish, one),
    ];
    assert_eq!(kinds, expected);
    let two = history(store, roots, &app(), &region("eu"), Scope::Everything, 2).await.expect("a history");
    assert_eq!(two, all[..2]);
    let changes = history(store, roots, &app(), &region("eu"), Scope::Changes, 2).await.expect("a history");
    assert_eq!(changes, all[1..3]);

    let planted = StorePath::History { app: app(), region: region("eu"), order: all[1].order };
    bench.put(&planted, "nonsense").await;
    assert!(history(store, roots, &app(), &region("eu"), Scope::Everything, 99).await.is_err());
}
