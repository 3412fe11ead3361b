//! What somebody with write access to the store can plant, and what a trust root forbids.

use std::sync::Arc;

use schema::keys::SecretKey;
use schema::{Epoch, Manifest, StorePath, TrustRoot, Verified};

use crate::bench::{Bench, app, copy, region, role};
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
    let honest = Verified::<Manifest>::open(honest, &bench.publisher.root().release, &schema::Limits::DEFAULT);
    let lying = Manifest { digest, ..Manifest::clone(&honest.expect("ours")) };
    let lying = Verified::seal(lying, &[&bench.publisher.keys.release[0]]);
    bench.put(&StorePath::Bundle { app: app(), digest }, frame).await;
    bench.put(&StorePath::Manifest { app: app(), digest }, lying.bytes().clone()).await;

    let revert = bench.tip("1", "1");
    let report = bench.publish(&revert).await;
    assert!(report.moved.is_empty());
    assert!(matches!(bundle_fault(&report.failed[0]), BundleFault::DamagedBundle { .. }), "{:?}", report.failed);
}

#[tokio::test]
async fn a_signed_manifest_of_another_size_is_not_enough_though_the_frame_was_made_here() {
    let mut bench = Bench::new();
    // Long enough for a frame of pieces, which is remembered.
    let long = |line: &str| format!("{line}: 1\n").repeat(200_000);
    let (first, second) = (bench.tip(&long("rps"), "1"), bench.tip(&long("burst"), "2"));
    bench.publish(&first).await;
    bench.publish(&second).await;
    let path = StorePath::Manifest { app: app(), digest: first.digest("us") };
    let honest = bench.publisher.store.read(&path, 1 << 20).await.expect("a read").expect("stored").bytes;
    let honest = Verified::<Manifest>::open(honest, &bench.publisher.root().release, &schema::Limits::DEFAULT);
    let honest = honest.expect("ours");
    let lying = Manifest { size: honest.size + 1, ..Manifest::clone(&honest) };
    bench.put(&path, Verified::seal(lying, &[&bench.publisher.keys.release[0]]).bytes().clone()).await;
    let revert = bench.tip(&long("rps"), "1");
    let report = bench.publish(&revert).await;
    assert!(report.moved.is_empty(), "no agent would take it");
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
    let manifest =
        Verified::<Manifest>::open(manifest.bytes, &bench.publisher.root().release, &schema::Limits::DEFAULT);
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
    let (store, roots) = (&bench.publisher.store, &bench.publisher.roots);
    let record = crate::region::record(store, roots, (&app(), &region("eu")), schema::Order::FIRST).await;
    record.expect("it verifies").expect("it is there").pointer
}

#[tokio::test]
async fn what_the_trust_root_revokes_or_is_below_its_floor_is_not_pointed_to() {
    let mut bench = Bench::new();
    let (first, second) = (bench.tip("1", "1"), bench.tip("2", "2"));
    bench.publish(&first).await;
    bench.publish(&second).await;
    let revert = bench.tip("1", "1");
    let root = TrustRoot::clone(bench.publisher.root());

    let revoking = TrustRoot { revoked: vec![first.digest("eu")], ..root.clone() };
    bench.under(revoking);
    let report = bench.publish(&revert).await;
    assert!(matches!(bundle_fault(&report.failed[0]), BundleFault::Revoked), "{:?}", report.failed);

    let floor = TrustRoot { release_floor: 2, ..root };
    bench.under(floor);
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
    let root = TrustRoot { pointer_of_region: own, ..TrustRoot::clone(bench.publisher.root()) };
    bench.under(root);
    let report = bench.publish(&tip).await;
    assert_eq!((report.moved.len(), report.failed.len(), report.elsewhere), (1, 0, [region("us")].into()));
    // Nor when it is time to sign afresh.
    bench.pass(crate::bench::HOUR);
    let refreshed = refresh(&bench.publisher, [(app(), region("eu")), (app(), region("us"))]).await;
    assert_eq!((refreshed.refreshed.len(), refreshed.failed.len()), (1, 0));
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
        ..TrustRoot::clone(bench.publisher.root())
    };
    let old = bench.publisher.clone();
    let release = vec![copy(&bench.publisher.keys.release[0])];
    bench.under(root);
    bench.publisher.keys = Arc::new(crate::Keys { release, pointer: vec![fresh], ..crate::Keys::default() });
    let report = bench.publish(&tip).await;
    assert_eq!(report.moved.len(), 2, "{:?}", report.failed);
    let pointer = bench.pointer("eu").await;
    assert_eq!((pointer.order().to_string().as_str(), pointer.prev), ("e2 g1 s1", None));
    assert!(matches!(pointer.stable, target if target.digest == tip.digest("eu")));

    // The publisher that was left behind by the new root does not go on.
    let behind = refresh(&old, [(app(), region("eu"))]).await;
    assert!(matches!(behind.failed[0].fault, RegionFault::NewerEpoch { .. }), "{:?}", behind.failed);
}

#[tokio::test]
async fn a05_what_is_too_large_is_damage_and_says_what_to_remove() {
    let mut bench = Bench::new();
    let tip = bench.tip("1", "1");
    bench.publish(&tip).await;
    let huge = vec![b'x'; 1 << 20];
    let pointer = StorePath::Pointer { app: app(), region: region("eu") };
    let order = bench.pointer("eu").await.order().next_generation().expect("a second");
    let record = StorePath::History { app: app(), region: region("eu"), order };
    for path in [pointer, record] {
        let stood = bench.publisher.store.read(&path, 1 << 20).await.expect("a read");
        bench.put(&path, huge.clone()).await;
        let report = bench.publish(&tip).await;
        let [failed] = &report.failed[..] else { panic!("{report:?}") };
        assert!(
            matches!(failed.fault, RegionFault::Damaged { .. }) && failed.kind() == ErrorKind::Refused,
            "{failed:?}"
        );
        assert!(failed.hint().is_some_and(|hint| hint.contains(&format!("remove `{path}`"))), "{failed:?}");
        bench.remove(&path).await;
        // The pointer is made anew from the history.
        assert!(bench.publish(&tip).await.failed.is_empty());
        let stands = bench.publisher.store.read(&path, 1 << 20).await.expect("a read");
        assert_eq!(stands.map(|object| object.bytes), stood.map(|object| object.bytes));
    }

    // A manifest keeps nobody from signing the pointer that names it afresh, and nothing new is pointed there.
    let next = bench.tip("2", "1");
    for digest in [tip.digest("eu"), next.digest("us")] {
        bench.put(&StorePath::Manifest { app: app(), digest }, huge.clone()).await;
    }
    bench.pass(crate::bench::HOUR);
    let refreshed = refresh(&bench.publisher, [(app(), region("eu"))]).await;
    assert_eq!((refreshed.refreshed.len(), refreshed.failed.len()), (1, 0), "{refreshed:?}");
    let report = bench.publish(&next).await;
    let failed = &report.failed[0];
    assert!(report.moved.is_empty() && failed.kind() == ErrorKind::Refused, "{report:?}");
    assert!(failed.hint().is_some_and(|hint| hint.contains("remove `v1/apps/web/bundles/")), "{failed:?}");
}

#[tokio::test]
async fn a27_a_store_that_was_put_back_in_time_gets_no_second_generation_of_one_number() {
    let mut bench = Bench::new();
    let (first, second) = (bench.tip("1", "1"), bench.tip("2", "1"));
    bench.publish(&first).await;
    let (pointer, before) = (StorePath::Pointer { app: app(), region: region("us") }, bench.pointer("us").await);
    let orders = bench.publish(&second).await.orders;
    bench.publisher = bench.publisher.clone().remembering(orders);
    let order = bench.pointer("us").await.order();
    let record = StorePath::History { app: app(), region: region("us"), order };
    let taken = bench.publisher.store.read(&record, 1 << 14).await.expect("a read").expect("a record").bytes;
    bench.remove(&record).await;
    bench.put(&pointer, before.bytes().clone()).await;

    let third = bench.tip("3", "1");
    for report in [bench.publish(&third).await, refresh(&bench.publisher, [(app(), region("us"))]).await] {
        let [failed] = &report.failed[..] else { panic!("{report:?}") };
        assert!(matches!(failed.fault, RegionFault::Rewound { remembered, .. } if remembered == order), "{failed:?}");
        assert!(report.moved.is_empty() && failed.kind() == ErrorKind::Refused && failed.hint().is_some());
    }
    bench.put(&record, taken).await;
    assert!(bench.publish(&third).await.failed.is_empty());
    bench.check().await;
}

#[tokio::test]
async fn a17_a_generation_that_agents_do_not_follow_is_not_gone_on_from() {
    let mut bench = Bench::new();
    let (first, second) = (bench.tip("1", "1"), bench.tip("2", "1"));
    let orders = bench.publish(&first).await.orders;
    bench.publisher = bench.publisher.clone().remembering(orders);
    let newest = bench.pointer("us").await;
    let far = 1 + schema::Limits::DEFAULT.generation_jump_max;
    for (generation, is_followed) in [(far, true), (far + 1, false)] {
        let planted = schema::Pointer {
            generation: schema::Generation::new(generation),
            prev: Some(newest.payload_digest()),
            ..schema::Pointer::clone(&newest)
        };
        let planted = Verified::seal(planted, &[&bench.publisher.keys.pointer[0]]);
        let path = StorePath::History { app: app(), region: region("us"), order: planted.order() };
        bench.put(&path, planted.bytes().clone()).await;
        let settled = crate::region::settle(&bench.publisher, &app(), &region("us")).await;
        assert_eq!(settled.is_ok(), is_followed, "{settled:?}");
    }
    let report = bench.publish(&second).await;
    let [failed] = &report.failed[..] else { panic!("{report:?}") };
    assert!(matches!(failed.fault, RegionFault::Jumped { .. }) && report.moved.is_empty(), "{failed:?}");
    assert!(failed.hint().is_some_and(|hint| hint.contains("epoch")) && failed.kind() == ErrorKind::Refused);

    // The next epoch is the way out, as it is for agents.
    let next = TrustRoot { version: 2, epoch: Epoch::new(2), ..TrustRoot::clone(bench.publisher.root()) };
    let next = Verified::seal(next, &[&bench.root_key]);
    bench.put(&StorePath::Root { version: 2 }, next.bytes().clone()).await;
    bench.publisher.follow_roots().await.expect("its keys are in it");
    assert!(bench.publish(&second).await.failed.is_empty());
    assert_eq!(bench.order("us").await, "e2 g1 s1");
}
