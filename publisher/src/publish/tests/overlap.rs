//! Keys and roots that not everybody has at the same time: overlaps, late starts, and keys that were taken out.

use std::sync::Arc;

use schema::keys::SecretKey;
use schema::{Generation, Limits, Order, Pointer, RoleKeys, StorePath, TrustRoot, Verified};

use super::rotation::{follow, keys, places, plant, three};
use crate::bench::{HOUR, app, copy, region, role};
use crate::duty::Duty;
use crate::history::{Scope, history};
use crate::publish::{BundleFault, read_back, refresh};
use crate::publisher::Publisher;
use crate::region::{NotThePointer, RegionFault};
use crate::trust::Chain;

/// A role that needs one of `keys`.
fn one_of(keys: &[&SecretKey]) -> RoleKeys {
    RoleKeys::new(1, keys.iter().map(|key| key.public().clone()).collect()).expect("distinct keys")
}

#[tokio::test]
async fn a_publisher_that_was_left_with_the_old_key_until_the_overlap_ended_stops_nobody() {
    let (mut bench, [first, _, third]) = three().await;
    let (old, fresh) = (copy(&bench.publisher.keys.pointer[0]), SecretKey::generate());
    let release = copy(&bench.publisher.keys.release[0]);
    bench.rotate(|root| TrustRoot { pointer: one_of(&[&old, &fresh]), ..root }).await;
    follow(&mut bench).await;
    let left_behind = bench.publisher.clone();
    bench.publisher = bench.beside(keys(&release, &fresh), Duty::Everything);
    // They sign afresh in turn, the one without the new key last.
    for publisher in [&bench.publisher, &left_behind] {
        bench.pass(HOUR);
        assert_eq!(refresh(publisher, places()).await.refreshed.len(), 2);
    }
    bench.rotate(|root| TrustRoot { pointer: role(&fresh), ..root }).await;
    follow(&mut bench).await;
    let report = bench.publish(&third).await;
    assert!(report.failed.is_empty() && report.refreshed.len() == 2, "{report:?}");
    assert_eq!(bench.order("eu").await, "e1 g3 s4");

    // A thief of the old key gets nothing out of that: what is not a repetition is refused, whatever is served.
    let target = read_back(&bench.publisher, &app(), &first.digest("eu")).await.expect("stored").target();
    plant(&bench, &old, |pointer| Pointer {
        serial: pointer.serial.next().expect("a next"),
        stable: target,
        ..pointer
    })
    .await;
    let report = refresh(&bench.publisher, places()).await;
    assert!(matches!(&report.failed[0].fault, RegionFault::Damaged { .. }), "{report:?}");
}

#[tokio::test]
async fn a23_a_removed_pointer_key_is_not_hidden_by_a_heap_of_planted_records() {
    let (mut bench, [_, _, third]) = three().await;
    let (removed, fresh) = (copy(&bench.publisher.keys.pointer[0]), SecretKey::generate());
    bench.rotate(|root| TrustRoot { pointer: role(&fresh), ..root }).await;
    let release = copy(&bench.publisher.keys.release[0]);
    bench.publisher = bench.beside(keys(&release, &fresh), Duty::Everything);
    follow(&mut bench).await;
    let orders = bench.publish(&third).await.orders;
    bench.publisher = bench.publisher.clone().remembering_also(&orders);
    let far = |pointer: Pointer| Pointer { generation: Generation::new(2000), freeze: true, ..pointer };
    plant(&bench, &removed, far).await;
    for number in 900..2000 {
        let generation = Generation::new(number);
        let order = Order { generation, ..Order::FIRST };
        bench.put(&StorePath::History { app: app(), region: region("eu"), order }, "nonsense").await;
    }
    let report = refresh(&bench.publisher, places()).await;
    let superseded = |fault: &RegionFault| {
        matches!(fault, RegionFault::Damaged { source: NotThePointer::Superseded { version: 1 }, .. })
    };
    assert!(matches!(&report.failed[..], [failed] if superseded(&failed.fault)), "{report:?}");
}

#[tokio::test]
async fn a_publisher_that_was_given_too_new_a_root_says_so_and_what_to_do() {
    let (mut bench, [_, second, third]) = three().await;
    let (release, pointer) = (SecretKey::generate(), SecretKey::generate());
    bench.rotate(|root| TrustRoot { release: role(&release), pointer: role(&pointer), ..root }).await;
    let whole = bench.publisher.clone();
    let path = StorePath::Root { version: 2 };
    let second_root = whole.store.read(&path, 1 << 16).await.expect("a read").expect("it was put there").bytes;
    let second_root = Verified::<TrustRoot>::pin(second_root, &Limits::DEFAULT).expect("a root");
    let late = Publisher {
        roots: Arc::new(Chain::of(second_root)),
        ..bench.beside(keys(&release, &pointer), Duty::Everything)
    };
    let report = third.publish(&late).await;
    let failed = &report.failed[0];
    let unknown = |source: &NotThePointer| matches!(source, NotThePointer::SignersUnknown { oldest: 2 });
    assert!(matches!(&failed.fault, RegionFault::Damaged { source, .. } if unknown(source)), "{report:?}");
    assert!(failed.hint().is_some_and(|hint| hint.contains("older than version 2")), "{:?}", failed.hint());

    // The one that knows all roots signs the pointers again; then the other shows the history as far as it can judge it.
    bench.publisher = bench.beside(keys(&release, &pointer), Duty::Everything);
    follow(&mut bench).await;
    assert_eq!(bench.publish(&third).await.refreshed.len(), 2);
    let shown = history(&late.store, &late.roots, &app(), &region("eu"), Scope::Everything, 9).await;
    assert_eq!(shown.expect("as far as it goes").len(), 1);
    let failed = read_back(&late, &app(), &second.digest("eu")).await.expect_err("signed before");
    assert!(matches!(failed.fault, BundleFault::SignersUnknown { oldest: 2, .. }), "{failed:?}");
    assert!(failed.hint().is_some_and(|hint| hint.contains("older than version 2")), "{:?}", failed.hint());
}
