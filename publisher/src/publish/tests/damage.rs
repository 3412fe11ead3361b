//! What somebody with write access to the store can plant, and what a trust root forbids.

use std::sync::Arc;

use schema::keys::SecretKey;
use schema::{Epoch, Manifest, StorePath, TrustRoot, Verified};

use crate::bench::{Bench, app, region, role};
use crate::kind::ErrorKind;
use crate::publish::{BundleFault, refresh};
use crate::region::{RegionError, RegionFault};

fn bundle_fault(failed: &RegionError) -> &BundleFault {
    let RegionFault::Bundle(error) = &failed.fault else { panic!("{failed:?}") };
    &error.fault
}

#[tokio::test]
async fn f24_a_damaged_bundle_is_named_and_nothing_moves() {
    let mut bench = Bench::new();
    let tip = bench.tip("1", "1");
    let path = StorePath::Bundle { app: app(), digest: tip.digest("eu") };
    bench.put(&path, "half a bun").await;
    let report = bench.publish(&tip).await;
    assert!(report.moved.is_empty());
    assert!(matches!(bundle_fault(&report.failed[0]), BundleFault::DamagedBundle { .. }), "{:?}", report.failed);
    assert_eq!(report.failed[0].kind(), ErrorKind::Refused);
    assert!(report.failed[0].hint().expect("there is something to do").contains(&format!("remove `{path}`")));

    bench.remove(&path).await;
    assert_eq!(bench.publish(&tip).await.moved.len(), 2);
    bench.check().await;
}

#[tokio::test]
async fn f24_no_pointer_names_a_bundle_that_does_not_read_back_as_signed() {
    let mut bench = Bench::new();
    let (first, second) = (bench.tip("1", "1"), bench.tip("2", "2"));
    bench.publish(&first).await;
    bench.publish(&second).await;
    let revert = bench.tip("1", "1");
    let archive = &first.compilation.bundles[&(app(), region("us"))].archive;
    let other = schema::encoding::compress(&second.compilation.bundles[&(app(), region("us"))].archive);
    let recompressed = zstd::bulk::compress(archive, 19);
    // The right content in other bytes is no better: agents check the bytes first.
    for damage in [other, recompressed] {
        let path = StorePath::Bundle { app: app(), digest: first.digest("us") };
        bench.put(&path, damage.expect("it compresses")).await;
        let report = bench.publish(&revert).await;
        assert!(report.moved.is_empty());
        assert!(matches!(bundle_fault(&report.failed[0]), BundleFault::DamagedBundle { .. }), "{:?}", report.failed);
        assert_eq!(bench.order("us").await, "e1 g2 s1");
    }
}

#[tokio::test]
async fn a_signed_manifest_of_other_content_is_not_enough() {
    let mut bench = Bench::new();
    let (first, second) = (bench.tip("1", "1"), bench.tip("2", "2"));
    bench.publish(&second).await;
    // Whoever signed this had the release key and a broken compiler.
    let (digest, other) = (first.digest("us"), second.digest("us"));
    let read =
        async |path: StorePath| bench.publisher.store.read(&path, 1 << 20).await.expect("a read").expect("stored");
    let frame = read(StorePath::Bundle { app: app(), digest: other }).await.bytes;
    let honest = read(StorePath::Manifest { app: app(), digest: other }).await.bytes;
    let honest = Verified::<Manifest>::open(honest, &bench.publisher.root.release, &schema::Limits::DEFAULT);
    let lying = Manifest { digest, ..Manifest::clone(&honest.expect("ours")) };
    let lying = Verified::seal(lying, &[&bench.publisher.keys.release]);
    bench.put(&StorePath::Bundle { app: app(), digest }, frame).await;
    bench.put(&StorePath::Manifest { app: app(), digest }, lying.bytes().clone()).await;

    let revert = bench.tip("1", "1");
    let report = bench.publish(&revert).await;
    assert!(report.moved.is_empty());
    assert!(matches!(bundle_fault(&report.failed[0]), BundleFault::DamagedBundle { .. }), "{:?}", report.failed);
}

#[tokio::test]
async fn a_frame_of_another_zstd_is_adopted() {
    let mut bench = Bench::new();
    let tip = bench.tip(&"1".repeat(5000), "1");
    let bundle = Arc::clone(&tip.compilation.bundles[&(app(), region("eu"))]);
    let frame = zstd::bulk::compress(&bundle.archive, 19).expect("it compresses");
    assert_ne!(frame, schema::encoding::compress(&bundle.archive).expect("it compresses"));
    let size = frame.len() as u64;
    bench.put(&StorePath::Bundle { app: app(), digest: bundle.summary.digest }, frame).await;
    let report = bench.publish(&tip).await;
    assert_eq!(report.moved.len(), 2, "{:?}", report.failed);
    let path = StorePath::Manifest { app: app(), digest: bundle.summary.digest };
    let manifest = bench.publisher.store.read(&path, 1 << 20).await.expect("a read").expect("a manifest");
    let manifest = Verified::<Manifest>::open(manifest.bytes, &bench.publisher.root.release, &schema::Limits::DEFAULT);
    assert_eq!(manifest.expect("ours").whole().size, size);
    bench.check().await;
}

#[tokio::test]
async fn a_planted_manifest_is_named_and_nothing_moves() {
    let mut bench = Bench::new();
    let tip = bench.tip("1", "1");
    let path = StorePath::Manifest { app: app(), digest: tip.digest("eu") };
    bench.put(&path, "{}\n").await;
    let report = bench.publish(&tip).await;
    assert!(report.moved.is_empty());
    assert!(matches!(bundle_fault(&report.failed[0]), BundleFault::DamagedManifest { .. }), "{:?}", report.failed);

    // A genuine manifest of another bundle is no better.
    bench.remove(&path).await;
    bench.publish(&tip).await;
    let other = StorePath::Manifest { app: app(), digest: tip.digest("us") };
    let genuine = bench.publisher.store.read(&other, 1 << 20).await.expect("a read").expect("a manifest");
    let next = bench.tip("2", "1");
    bench.put(&StorePath::Manifest { app: app(), digest: next.digest("us") }, genuine.bytes).await;
    let report = bench.publish(&next).await;
    assert!(matches!(bundle_fault(&report.failed[0]), BundleFault::OtherManifest { .. }), "{:?}", report.failed);
    bench.check().await;
}

#[tokio::test]
async fn a08_a_record_of_another_region_or_order_is_refused() {
    let mut bench = Bench::new();
    let (first, second) = (bench.tip("1", "1"), bench.tip("2", "2"));
    bench.publish(&first).await;
    let order = bench.pointer("eu").await.order().next_generation().expect("a second");
    let planted = StorePath::History { app: app(), region: region("eu"), order };
    for from in ["us", "eu"] {
        let genuine = bench.pointer("us").await;
        let genuine = if from == "us" { genuine } else { bench_first(&bench).await };
        bench.put(&planted, genuine.bytes().clone()).await;
        let report = bench.publish(&second).await;
        assert!(report.moved.is_empty(), "{:?}", report.moved);
        let damaged = matches!(report.failed[0].fault, RegionFault::Damaged { .. });
        assert!(damaged && report.failed[0].kind() == ErrorKind::Refused, "{:?}", report.failed);
        bench.remove(&planted).await;
    }
    bench.check().await;
}

async fn bench_first(bench: &Bench) -> Verified<schema::Pointer> {
    let (store, root) = (&bench.publisher.store, &bench.publisher.root);
    let record = crate::region::record(store, root, (&app(), &region("eu")), schema::Order::FIRST).await;
    record.expect("it verifies").expect("it is there")
}

#[tokio::test]
async fn what_the_trust_root_revokes_or_is_below_its_floor_is_not_pointed_to() {
    let mut bench = Bench::new();
    let (first, second) = (bench.tip("1", "1"), bench.tip("2", "2"));
    bench.publish(&first).await;
    bench.publish(&second).await;
    let revert = bench.tip("1", "1");
    let root = TrustRoot::clone(&bench.publisher.root);

    let revoking = TrustRoot { revoked: vec![first.digest("eu")], ..root.clone() };
    bench.publisher.root = Arc::new(Verified::seal(revoking, &[&bench.root_key]));
    let report = bench.publish(&revert).await;
    assert!(matches!(bundle_fault(&report.failed[0]), BundleFault::Revoked), "{:?}", report.failed);

    let floor = TrustRoot { release_floor: 2, ..root };
    bench.publisher.root = Arc::new(Verified::seal(floor, &[&bench.root_key]));
    let report = bench.publish(&revert).await;
    assert!(report.moved.is_empty());
    let below = matches!(bundle_fault(&report.failed[0]), BundleFault::BelowFloor { release_seq: 1, floor: 2 });
    assert!(below, "{:?}", report.failed);
    assert_eq!(bench.order("eu").await, "e1 g2 s1");
}

#[tokio::test]
async fn a_region_with_keys_of_its_own_gets_nothing_it_would_refuse() {
    let mut bench = Bench::new();
    let tip = bench.tip("1", "1");
    let own = [(region("us"), role(&SecretKey::generate()))].into();
    let root = TrustRoot { pointer_of_region: own, ..TrustRoot::clone(&bench.publisher.root) };
    bench.publisher.root = Arc::new(Verified::seal(root, &[&bench.root_key]));
    let report = bench.publish(&tip).await;
    assert_eq!((report.moved.len(), report.failed.len()), (1, 1));
    assert!(matches!(report.failed[0].fault, RegionFault::Unsigned(_)), "{:?}", report.failed);
}

#[tokio::test]
async fn a17_a_new_epoch_starts_anew_and_believes_nothing_that_the_stolen_key_signed() {
    let mut bench = Bench::new();
    let tip = bench.tip("1", "1");
    bench.publish(&tip).await;
    let fresh = SecretKey::generate();
    let root = TrustRoot {
        version: 2,
        epoch: Epoch::new(2),
        pointer: role(&fresh),
        ..TrustRoot::clone(&bench.publisher.root)
    };
    let old = bench.publisher.clone();
    let release = SecretKey::from_file_text(&bench.publisher.keys.release.to_file_text()).expect("our own file");
    bench.publisher.root = Arc::new(Verified::seal(root, &[&bench.root_key]));
    bench.publisher.keys = Arc::new(crate::Keys { release, pointer: fresh });
    let report = bench.publish(&tip).await;
    assert_eq!(report.moved.len(), 2, "{:?}", report.failed);
    let pointer = bench.pointer("eu").await;
    assert_eq!((pointer.order().to_string().as_str(), pointer.prev), ("e2 g1 s1", None));
    assert!(matches!(pointer.stable, target if target.digest == tip.digest("eu")));

    // The publisher that was left behind by the new root does not go on.
    let behind = refresh(&old, [(app(), region("eu"))]).await;
    assert!(matches!(behind.failed[0].fault, RegionFault::NewerEpoch { .. }), "{:?}", behind.failed);
}
