//! Several publishers over one store.

use tokio::task::JoinSet;

use crate::bench::{Bench, Tip, app, region};
use crate::kind::ErrorKind;
use crate::plan;
use crate::publish::Wanted;
use crate::publish::draft::{Draft, Signing};
use crate::publish::read_back::{read_back, store_bundle};
use crate::publish::record::Recording;
use crate::publish::refresh;
use crate::region::{self, RegionFault};
use schema::StorePath;

/// Publishes all of `tips` at once, each by a publisher of its own.
async fn race(bench: &Bench, tips: &[&Tip]) {
    let mut publishers = JoinSet::new();
    for tip in tips {
        let (tip, publisher) = (Tip::clone(tip), bench.publisher.clone());
        publishers.spawn(async move { tip.publish(&publisher).await });
    }
    for report in publishers.join_all().await {
        let behind = |failed: &crate::region::RegionError| failed.kind() == ErrorKind::LostRace;
        assert!(report.failed.iter().all(behind), "{:?}", report.failed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f21_two_publishers_of_one_commit_make_one_generation() {
    for _ in 0..12 {
        let mut bench = Bench::new();
        let tip = bench.tip("1", "1");
        race(&bench, &[&tip, &tip, &tip]).await;
        bench.check().await;
        assert_eq!((bench.order("eu").await, bench.order("us").await), ("e1 g1 s1".to_owned(), "e1 g1 s1".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f21_two_publishers_of_different_commits_end_at_the_newer_one() {
    for _ in 0..12 {
        let mut bench = Bench::new();
        let (older, newer) = (bench.tip("1", "1"), bench.tip("2", "2"));
        race(&bench, &[&older, &newer]).await;
        // Whoever won which race, the newer commit can follow the older one and not the other way round.
        race(&bench, &[&older, &newer]).await;
        bench.check().await;
        for name in ["eu", "us"] {
            let pointer = bench.pointer(name).await;
            assert_eq!((pointer.stable.digest, &pointer.commit), (newer.digest(name), newer.commit.id()));
            assert!(pointer.generation.number() <= 2, "{} went back and forth", pointer.order());
        }
    }
}

#[tokio::test]
async fn a_publisher_that_is_behind_moves_nothing() {
    let mut bench = Bench::new();
    let (older, newer) = (bench.tip("1", "1"), bench.tip("2", "2"));
    bench.publish(&newer).await;
    let (faulty, publisher) = bench.faulty();
    let report = older.publish(&publisher).await;
    assert_eq!(report.failed.len(), 2);
    assert!(matches!(report.failed[0].fault, RegionFault::Behind { .. }), "{:?}", report.failed);
    assert_eq!(faulty.writes_seen(), 0);
}

/// A publisher that created the record of generation `tip` in `eu` and then slept.
async fn asleep(bench: &Bench, tip: &Tip) -> Recording {
    let state = region::settle(&bench.publisher, &app(), &region("eu")).await.expect("a state");
    let order = plan::following(state.standing(), bench.publisher.root().epoch).expect("numbers are left");
    let target = read_back(&bench.publisher, &app(), &tip.digest("eu")).await.expect("it was stored").target();
    let signing = Signing::under(order, &bench.publisher);
    let commit = tip.commit.id().clone();
    let draft = Draft::forward(state.newest.as_ref(), (&app(), &region("eu")), target, commit, signing);
    Recording::create(&bench.publisher, state, draft).await.expect("the store answers")
}

#[tokio::test]
async fn f22_a_publisher_that_slept_before_the_pointer_does_not_undo_a_newer_one() {
    let mut bench = Bench::new();
    let (first, second, third) = (bench.tip("1", "1"), bench.tip("2", "2"), bench.tip("3", "3"));
    bench.publish(&first).await;
    // Its bundle is in the store from another region's publication.
    let bundle = &second.compilation.bundles[&(app(), region("eu"))];
    store_bundle(&bench.publisher, &second.commit, &second.ancestry, Wanted::alone(bundle.clone()))
        .await
        .expect("stored");
    let Recording::Ours(sleeper) = asleep(&bench, &second).await else { panic!("nobody else records") };

    bench.publish(&third).await;
    assert_eq!(bench.order("eu").await, "e1 g3 s1");
    let (faulty, awake) = bench.faulty();
    sleeper.publish(&awake).await.expect("being overtaken is no failure");
    assert_eq!(faulty.writes_seen(), 1, "it tried once, and was told");
    assert_eq!(bench.order("eu").await, "e1 g3 s1");
    bench.check().await;
}

#[tokio::test]
async fn f22_a_publisher_that_slept_finishes_the_newer_record_of_one_that_died() {
    let mut bench = Bench::new();
    let (first, second, third) = (bench.tip("1", "1"), bench.tip("2", "2"), bench.tip("3", "3"));
    bench.publish(&first).await;
    for tip in [&second, &third] {
        let bundle = &tip.compilation.bundles[&(app(), region("eu"))];
        store_bundle(&bench.publisher, &tip.commit, &tip.ancestry, Wanted::alone(bundle.clone()))
            .await
            .expect("stored");
    }
    let Recording::Ours(sleeper) = asleep(&bench, &second).await else { panic!("nobody else records") };
    let Recording::Ours(died) = asleep(&bench, &third).await else { panic!("nobody else records") };
    drop(died);
    sleeper.publish(&bench.publisher).await.expect("it goes on");
    // Checked as it stands, before anything else repairs it.
    bench.check().await;
    assert_eq!(bench.order("eu").await, "e1 g3 s1");
}

#[tokio::test]
async fn f22_a_stale_plan_loses_its_order_and_is_made_again() {
    let mut bench = Bench::new();
    let (first, second) = (bench.tip("1", "1"), bench.tip("2", "2"));
    bench.publish(&first).await;
    let slow = region::settle(&bench.publisher, &app(), &region("eu")).await.expect("a state");
    bench.publish(&second).await;
    let order = plan::following(slow.standing(), bench.publisher.root().epoch).expect("numbers are left");
    let draft = Draft::refreshed(slow.standing(), Signing::under(order, &bench.publisher));
    let lost = Recording::create(&bench.publisher, slow, draft).await.expect("the store answers");
    assert!(matches!(lost, Recording::Lost));
    bench.check().await;
}

#[tokio::test]
async fn f22_a_pointer_that_a_slow_writer_put_back_is_repaired_from_history() {
    let mut bench = Bench::new();
    let (first, second) = (bench.tip("1", "1"), bench.tip("2", "2"));
    bench.publish(&first).await;
    let old = bench.pointer("eu").await;
    bench.publish(&second).await;
    let path = StorePath::Pointer { app: app(), region: region("eu") };
    bench.put(&path, old.bytes().clone()).await;

    refresh(&bench.publisher, [(app(), region("eu"))]).await;
    bench.check().await;
    assert_eq!(bench.order("eu").await, "e1 g2 s1");

    // And so is one that is gone, or is something else.
    bench.remove(&path).await;
    refresh(&bench.publisher, [(app(), region("eu"))]).await;
    bench.check().await;
    bench.put(&path, "nonsense").await;
    refresh(&bench.publisher, [(app(), region("eu"))]).await;
    bench.check().await;
}
