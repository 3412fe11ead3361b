mod crash;
mod damage;
mod overlap;
mod patches;
mod race;
mod rotation;
mod signers;

use schema::{App, StorePath};

use crate::bench::{Bench, HOUR, region};
use crate::publish::{Before, refresh, reseal_reach};

#[tokio::test]
async fn a_commit_moves_every_region_once_and_only_once() {
    let mut bench = Bench::new();
    let tip = bench.tip("1", "1");
    let report = bench.publish(&tip).await;
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    let moved: Vec<_> = report.moved.iter().map(|moved| (moved.region.as_str(), moved.order.to_string())).collect();
    assert_eq!(moved, [("eu", "e1 g1 s1".to_owned()), ("us", "e1 g1 s1".to_owned())]);
    bench.check().await;

    let (faulty, publisher) = bench.faulty();
    let again = tip.publish(&publisher).await;
    assert!(again.moved.is_empty() && again.refreshed.is_empty() && again.failed.is_empty(), "{again:?}");
    assert_eq!(faulty.writes_seen(), 0);
}

#[tokio::test]
async fn only_the_region_whose_bundle_changed_gets_a_generation() {
    let mut bench = Bench::new();
    let first = bench.tip("1", "1");
    bench.publish(&first).await;
    let second = bench.tip("1", "2");
    let report = bench.publish(&second).await;
    assert_eq!(report.moved.iter().map(|moved| moved.region.as_str()).collect::<Vec<_>>(), ["eu"]);
    assert_eq!((bench.order("eu").await, bench.order("us").await), ("e1 g2 s1".to_owned(), "e1 g1 s1".to_owned()));
    assert_eq!(bench.pointer("eu").await.commit, *second.commit.id());
    bench.check().await;
}

#[tokio::test]
async fn f33_a_revert_is_a_new_generation_and_uploads_nothing() {
    let mut bench = Bench::new();
    let first = bench.tip("1", "1");
    bench.publish(&first).await;
    let manifest = bench.pointer("us").await.stable.manifest;
    let second = bench.tip("2", "1");
    bench.publish(&second).await;

    let revert = bench.tip("1", "1");
    let (faulty, publisher) = bench.faulty();
    let report = revert.publish(&publisher).await;
    assert_eq!(report.moved.len(), 2);
    assert_eq!(faulty.writes_seen(), 4, "a record and a pointer for each region");
    let pointer = bench.pointer("us").await;
    assert_eq!(pointer.order().to_string(), "e1 g3 s1");
    assert_eq!((pointer.stable.digest, pointer.stable.manifest), (first.digest("us"), manifest));
    assert_eq!(pointer.commit, *revert.commit.id());
    bench.check().await;
}

#[tokio::test]
async fn an_old_pointer_is_signed_afresh_under_the_next_serial() {
    let mut bench = Bench::new();
    let tip = bench.tip("1", "1");
    bench.publish(&tip).await;
    let before = bench.pointer("eu").await;
    bench.pass(HOUR);
    let report = bench.publish(&tip).await;
    assert_eq!((report.moved.len(), report.refreshed.len()), (0, 2));
    let after = bench.pointer("eu").await;
    assert_eq!(after.order().to_string(), "e1 g1 s2");
    assert!(after.expires > before.expires && after.trace == before.trace && after.stable == before.stable);

    // The same where no commit is at hand.
    bench.pass(HOUR);
    let places: Vec<_> = tip.compilation.bundles.keys().cloned().collect();
    assert_eq!(refresh(&bench.publisher, places.clone()).await.refreshed.len(), 2);
    assert_eq!(refresh(&bench.publisher, places).await.refreshed.len(), 0);
    assert_eq!(bench.order("eu").await, "e1 g1 s3");
    bench.check().await;
}

#[tokio::test]
async fn keeping_and_sealing_again_cost_the_same_however_long_the_history() {
    let mut costs = Vec::new();
    for generations in [20, 60] {
        let mut bench = Bench::new();
        let mut newest = bench.tip("0", "0");
        for generation in 0..generations {
            let content = (generation % 2).to_string();
            newest = bench.tip(&content, &content);
            bench.publish(&newest).await;
        }
        let places: Vec<_> = newest.compilation.bundles.keys().cloned().collect();
        let (faulty, publisher) = bench.faulty();
        let report = newest.publish(&publisher).await;
        assert!(report.failed.is_empty() && report.moved.is_empty() && report.refreshed.is_empty(), "{report:?}");
        let keeping = faulty.reads_seen();
        let (waiting, failed) = reseal_reach(&publisher, places, None).await;
        assert!(waiting.is_empty() && failed.is_empty(), "{failed:?}");
        costs.push((keeping, faulty.reads_seen() - keeping));
    }
    assert_eq!(costs[0], costs[1]);
}

#[tokio::test]
async fn a_change_waits_for_no_app_that_it_does_not_touch() {
    let document = "regions: { eu: {} }\napps: { one: { path: one }, two: { path: two } }\n";
    let tip = |bench: &mut Bench, one: &str| {
        bench.tip_of(&[("driftless.yaml", document), ("one/a.conf", one), ("two/a.conf", "same")])
    };
    for settled in [true, false] {
        let mut bench = Bench::new();
        let first = tip(&mut bench, "1");
        assert_eq!(bench.publish(&first).await.moved.len(), 2);
        let second = tip(&mut bench, "2");
        // Nobody can tell what the other app is at.
        let two: App = "two".parse().expect("an app");
        let order = schema::Order::FIRST;
        bench.remove(&StorePath::History { app: two.clone(), region: region("eu"), order }).await;
        bench.put(&StorePath::Pointer { app: two.clone(), region: region("eu") }, "damaged").await;
        let before = if settled { Before::Settled(&first.compilation) } else { Before::Compiled(&first.compilation) };
        let report = second.publish_after(before, &bench.publisher).await;
        let moved: Vec<&str> = report.moved.iter().map(|moved| moved.app.as_str()).collect();
        assert_eq!(moved, if settled { vec!["one"] } else { vec![] });
        assert_eq!(report.failed.iter().map(|failed| &failed.app).collect::<Vec<_>>(), [&two]);
    }
}
