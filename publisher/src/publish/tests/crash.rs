//! Failing and dying at every write.

use std::iter::{once, repeat_n};
use std::time::Duration;

use store::faulty::Fault;

use crate::bench::{Bench, Tip, app, region};
use crate::kind::ErrorKind;
use crate::publish::refresh;
use crate::publisher::Publisher;
use schema::StorePath;

/// A published commit and one to go on to.
async fn begun() -> (Bench, Tip) {
    let mut bench = Bench::new();
    let first = bench.tip("1", "1");
    bench.publish(&first).await;
    let second = bench.tip("2", "2");
    (bench, second)
}

/// How many writes an undisturbed publication of the second commit has: two bundles, each with frame, patch and manifest, two
/// records and two pointers.
const WRITES: usize = 10;

#[tokio::test]
async fn f18_f19_every_write_may_fail_twice() {
    let (bench, tip) = begun().await;
    let (counter, publisher) = bench.faulty();
    tip.publish(&publisher).await;
    assert_eq!(counter.writes_seen(), WRITES);
    let undisturbed = bench.outcome().await;

    for fault in [Fault::RequestLost, Fault::ReplyLost, Fault::Conflict] {
        for write in 0..WRITES {
            let (bench, tip) = begun().await;
            let (faulty, publisher) = bench.faulty();
            faulty.fail_writes(repeat_n(None, write).chain(repeat_n(Some(fault), 2)));
            let report = tip.publish(&publisher).await;
            assert!(report.failed.is_empty(), "{fault:?} at write {write}: {:?}", report.failed);
            bench.check().await;
            assert_eq!(orders(&undisturbed), orders(&bench.outcome().await), "{fault:?} at write {write}");
        }
    }
}

#[tokio::test]
async fn f23_a_publisher_that_dies_at_any_write_is_finished_by_the_next() {
    for last in [Fault::Hang, Fault::HangAfter] {
        for write in 0..WRITES {
            let (bench, tip) = begun().await;
            let (faulty, publisher) = bench.faulty();
            // From this write on nothing is answered, so this is where it dies.
            faulty.fail_writes(repeat_n(None, write).chain(once(Some(last))).chain(repeat_n(Some(Fault::Hang), 99)));
            die_at(&tip, &publisher, || faulty.writes_seen() > write).await;

            let report = bench.publish(&tip).await;
            assert!(report.failed.is_empty(), "{last:?} at write {write}: {:?}", report.failed);
            bench.check().await;
            for name in ["eu", "us"] {
                let pointer = bench.pointer(name).await;
                assert_eq!(pointer.order().to_string(), "e1 g2 s1", "{last:?} at write {write}");
                assert_eq!((pointer.stable.digest, &pointer.commit), (tip.digest(name), tip.commit.id()));
            }
        }
    }
}

/// Drops a publication as soon as `dead`.
async fn die_at(tip: &Tip, publisher: &Publisher, dead: impl Fn() -> bool) {
    tokio::select! {
        report = tip.publish(publisher) => panic!("it was to die first: {report:?}"),
        () = async { while !dead() { tokio::time::sleep(Duration::from_millis(1)).await } } => {}
    }
}

#[tokio::test]
async fn f43_a_store_that_fails_is_never_an_empty_one() {
    let pointer = StorePath::Pointer { app: app(), region: region("eu") };
    for lost in [None, Some(pointer)] {
        let (bench, tip) = begun().await;
        if let Some(pointer) = lost {
            bench.remove(&pointer).await;
        }
        let before = bench.count().await;
        // Each of the reads that planning needs, and that one alone: pointer, listing and record of both regions.
        for read in 0..6 {
            let (faulty, publisher) = bench.faulty();
            faulty.fail_reads(repeat_n(None, read).chain(once(Some(Fault::RequestLost))));
            let report = tip.publish(&publisher).await;
            assert!(report.moved.is_empty() && !report.failed.is_empty(), "read {read}: {report:?}");
            assert_eq!(report.failed[0].kind(), ErrorKind::Unreachable, "{:?}", report.failed);
            assert!(bench.count().await <= before + 1, "nothing but the lost pointer came back");
        }
        assert_eq!(bench.publish(&tip).await.moved.len(), 2);
        bench.check().await;
        assert_eq!(bench.order("eu").await, "e1 g2 s1");
    }
}

#[tokio::test]
async fn f43_what_the_store_lost_is_put_back_from_the_rest() {
    let (bench, tip) = begun().await;
    let (pointer, record) = (
        StorePath::Pointer { app: app(), region: region("eu") },
        StorePath::History { app: app(), region: region("eu"), order: schema::Order::FIRST },
    );
    bench.remove(&record).await;
    refresh(&bench.publisher, [(app(), region("eu"))]).await;
    bench.check().await;
    bench.remove(&pointer).await;
    bench.publish(&tip).await;
    bench.check().await;
    assert_eq!(bench.order("eu").await, "e1 g2 s1", "and never generation 1 again");
}

fn orders<T, U>(outcome: &[(schema::Order, T, schema::CommitId, U)]) -> Vec<schema::Order> {
    outcome.iter().map(|(order, ..)| *order).collect()
}
