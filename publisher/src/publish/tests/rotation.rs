//! Keys that change: planned, or because one was stolen.

use schema::keys::SecretKey;
use schema::{Digest, Epoch, Limits, Manifest, Pointer, StorePath, Target, Verified};

use crate::bench::{Bench, HOUR, Tip, app, copy, region, role};
use crate::duty::Duty;
use crate::history::{Scope, history};
use crate::keys::{Keys, Role};
use crate::kind::ErrorKind;
use crate::publish::draft::{Draft, Signing};
use crate::publish::{BundleFault, refresh, reseal_reach};
use crate::publisher::Publisher;
use crate::region::{NotThePointer, RegionFault};
use crate::rollback::{RollbackFault, RollbackTarget, rollback};
use crate::trust::TrustError;

/// Three generations in both regions.
pub(super) async fn three() -> (Bench, [Tip; 3]) {
    let mut bench = Bench::new();
    let tips = [bench.tip("1", "1"), bench.tip("2", "2"), bench.tip("3", "3")];
    for tip in &tips {
        bench.publish(tip).await;
    }
    (bench, tips)
}

pub(super) fn keys(release: &SecretKey, pointer: &SecretKey) -> Keys {
    Keys { release: vec![copy(release)], pointer: vec![copy(pointer)], ..Keys::default() }
}

pub(super) async fn follow(bench: &mut Bench) {
    bench.publisher.follow_roots().await.expect("its keys are in the newest root");
}

pub(super) fn places() -> [(schema::App, schema::Region); 2] {
    [(app(), region("eu")), (app(), region("us"))]
}

/// Whether an agent that reached the newest root would take what `target` names.
async fn believed(publisher: &Publisher, target: Target) -> bool {
    let (root, limits) = (publisher.root(), Limits::DEFAULT);
    let read = async |path: StorePath| publisher.store.read(&path, limits.manifest_max_bytes).await.expect("a read");
    let first = read(StorePath::Manifest { app: app(), digest: target.digest }).await.expect("a manifest");
    match schema::cycle::vouch(first.bytes, root, &app(), target, &limits) {
        Ok(_) => true,
        Err(refused) if refused.is_unsigned() => {
            let role = root.release.fingerprint();
            let again = read(StorePath::Resealed { app: app(), digest: target.digest, role }).await;
            again.is_some_and(|again| schema::cycle::vouch(again.bytes, root, &app(), target, &limits).is_ok())
        }
        Err(_) => false,
    }
}

#[tokio::test]
async fn a_root_without_our_keys_stops_us_and_says_which_is_missing() {
    let (mut bench, _) = three().await;
    let fresh = SecretKey::generate();
    bench.rotate(|root| schema::TrustRoot { release: role(&fresh), ..root }).await;
    let Err(TrustError::Keys(missing)) = bench.publisher.follow_roots().await else { panic!("it goes on") };
    assert_eq!((missing.role, missing.version), (Role::Release, 2));
    let hint = TrustError::Keys(missing).hint().expect("there is something to do");
    assert!(hint.contains("version 2") && hint.contains("keys.release"), "{hint}");

    // With the key, and still started with the first root, it goes on; and so it does three roots later.
    let pointer = copy(&bench.publisher.keys.pointer[0]);
    bench.publisher = bench.beside(keys(&fresh, &pointer), Duty::Everything);
    follow(&mut bench).await;
    for _ in 0..3 {
        bench.rotate(|root| root).await;
        follow(&mut bench).await;
    }
    assert_eq!(bench.publisher.root().version, 5);
}

#[tokio::test]
async fn what_follows_from_no_root_is_passed_over() {
    let (mut bench, _) = three().await;
    let planted = StorePath::Root { version: 2 };
    bench.put(&planted, "nonsense").await;
    follow(&mut bench).await;
    let thief = SecretKey::generate();
    let forged =
        schema::TrustRoot { version: 2, root: role(&thief), ..schema::TrustRoot::clone(bench.publisher.root()) };
    bench.put(&planted, Verified::seal(forged, &[&thief]).bytes().clone()).await;
    follow(&mut bench).await;
    bench.put(&planted, vec![b'x'; 1 << 20]).await;
    follow(&mut bench).await;
    assert_eq!(bench.publisher.root().version, 1);
}

#[tokio::test]
async fn a_new_release_key_seals_again_what_runs_and_what_a_rollback_reaches() {
    let (mut bench, [first, second, third]) = three().await;
    let fresh = SecretKey::generate();
    bench.rotate(|root| schema::TrustRoot { release: role(&fresh), ..root }).await;
    let pointer = copy(&bench.publisher.keys.pointer[0]);
    let old_payload = bench.pointer("eu").await.stable;
    // One that has the new key but not the duty signs nothing.
    let mut mover = bench.beside(keys(&fresh, &pointer), Duty::Pointer);
    mover.follow_roots().await.expect("its pointer key is in it");
    bench.pass(HOUR);
    let waits = refresh(&mover, places()).await;
    assert_eq!((waits.refreshed.len(), waits.waiting.len(), waits.failed.len()), (0, 2, 0), "{waits:?}");
    assert_eq!((waits.waiting[0].signed, waits.waiting[0].threshold), (0, 1));

    bench.publisher = bench.beside(keys(&fresh, &pointer), Duty::Everything);
    follow(&mut bench).await;
    assert!(!believed(&bench.publisher, old_payload).await);
    let (waiting, failed) = reseal_reach(&bench.publisher, places(), None).await;
    assert!(waiting.is_empty() && failed.is_empty(), "{failed:?}");
    assert!(believed(&bench.publisher, old_payload).await, "under the payload that the pointer names");
    assert_eq!(refresh(&mover, places()).await.refreshed.len(), 2, "and now the pointers are signed afresh");

    // The same generation, and every earlier one is within reach.
    assert_eq!(bench.order("eu").await, "e1 g3 s2");
    let report = bench.publish(&third).await;
    assert!(report.moved.is_empty() && report.failed.is_empty(), "{report:?}");
    for tip in [&first, &second] {
        let to = RollbackTarget::Digest(tip.digest("eu"));
        rollback(&bench.publisher, &app(), &[region("eu")], &to, &crate::bench::cause(""))
            .await
            .expect("it is within reach");
        assert!(believed(&bench.publisher, bench.pointer("eu").await.stable).await);
    }
    bench.check().await;
}

#[tokio::test]
async fn only_what_reads_back_is_sealed_again() {
    let (mut bench, [first, ..]) = three().await;
    let fresh = SecretKey::generate();
    bench.rotate(|root| schema::TrustRoot { release: role(&fresh), ..root }).await;
    let pointer = copy(&bench.publisher.keys.pointer[0]);
    bench.put(&StorePath::Bundle { app: app(), digest: first.digest("eu") }, "half a bun").await;
    bench.publisher = bench.beside(keys(&fresh, &pointer), Duty::Release);
    follow(&mut bench).await;
    let (_, failed) = reseal_reach(&bench.publisher, places(), None).await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(
        matches!(&failed[0].fault, RegionFault::Bundle(error) if matches!(error.fault, BundleFault::DamagedBundle { .. }))
    );
    let again = |digest| StorePath::Resealed { app: app(), digest, role: bench.publisher.root().release.fingerprint() };
    let read = async |path| bench.publisher.store.read(&path, 1 << 20).await.expect("a read");
    assert!(read(again(first.digest("eu"))).await.is_none());
    assert!(read(again(first.digest("us"))).await.is_some());
}

/// A thief's pointer, recorded and served: signed by `key`, as `change` makes it of the region's newest.
pub(super) async fn plant(bench: &Bench, key: &SecretKey, change: impl FnOnce(Pointer) -> Pointer) -> Pointer {
    let newest = bench.pointer("eu").await;
    let planted = change(Pointer { prev: Some(newest.payload_digest()), ..Pointer::clone(&newest) });
    let sealed = Verified::seal(planted.clone(), &[key]);
    let path = StorePath::History { app: app(), region: region("eu"), order: planted.order() };
    bench.put(&path, sealed.bytes().clone()).await;
    bench.put(&StorePath::Pointer { app: app(), region: region("eu") }, sealed.bytes().clone()).await;
    planted
}

#[tokio::test]
async fn a17_a_fast_forward_is_recovered_from_by_an_epoch_and_what_was_set_by_hand_stays() {
    let (mut bench, [first, second, third]) = three().await;
    rollback(&bench.publisher, &app(), &[region("us")], &RollbackTarget::Previous, &crate::bench::cause(""))
        .await
        .expect("back");
    let (stolen, fresh) = (copy(&bench.publisher.keys.pointer[0]), SecretKey::generate());
    // To an older bundle, at the last generation there is, frozen, and as a commit that nobody has.
    let target =
        crate::publish::read_back(&bench.publisher, &app(), &first.digest("eu")).await.expect("stored").target();
    let frozen: schema::AgentId = "web-0173".parse().expect("an agent");
    plant(&bench, &stolen, |pointer| Pointer {
        generation: schema::Generation::new(u64::MAX),
        serial: schema::Serial::FIRST,
        stable: target,
        commit: "f".repeat(40).parse().expect("an id"),
        quarantine: vec![frozen.clone()],
        ..pointer
    })
    .await;
    let stuck = bench.publish(&third).await;
    assert!(matches!(stuck.failed[0].fault, RegionFault::OrdersUsedUp(_)), "{stuck:?}");

    bench.rotate(|root| schema::TrustRoot { epoch: Epoch::new(2), pointer: role(&fresh), ..root }).await;
    let release = copy(&bench.publisher.keys.release[0]);
    bench.publisher = bench.beside(keys(&release, &fresh), Duty::Everything);
    follow(&mut bench).await;
    let report = bench.publish(&third).await;
    assert!(report.failed.is_empty(), "{report:?}");
    let (eu, us) = (bench.pointer("eu").await, bench.pointer("us").await);
    assert_eq!((eu.order().to_string().as_str(), eu.stable.digest), ("e2 g1 s1", third.digest("eu")));
    assert_eq!(eu.quarantine, [frozen]);
    // What was taken back by hand stays so in the new epoch.
    assert_eq!((us.order().to_string().as_str(), us.stable.digest), ("e2 g1 s1", second.digest("us")));
    assert_eq!(us.withdrawn, [third.digest("us")]);
    assert_eq!(report.blocked.len(), 1);

    // What was before the epoch is still read, and gone back to.
    let (store, roots) = (&bench.publisher.store, &bench.publisher.roots);
    let records = history(store, roots, &app(), &region("us"), Scope::Changes, 9).await.expect("a history");
    assert_eq!(records.len(), 5);
    let to = RollbackTarget::Digest(first.digest("us"));
    rollback(&bench.publisher, &app(), &[region("us")], &to, &crate::bench::cause(""))
        .await
        .expect("an older epoch's bundle");
    assert_eq!(bench.order("us").await, "e2 g2 s1");
}

#[tokio::test]
async fn garbage_in_an_epoch_that_is_over_hides_nothing_that_counts() {
    let (mut bench, [_, _, third]) = three().await;
    rollback(&bench.publisher, &app(), &[region("eu")], &RollbackTarget::Previous, &crate::bench::cause(""))
        .await
        .expect("back");
    let order = bench.pointer("eu").await.order().next_generation().expect("a next");
    bench.put(&StorePath::History { app: app(), region: region("eu"), order }, "nonsense").await;
    let fresh = SecretKey::generate();
    bench.rotate(|root| schema::TrustRoot { epoch: Epoch::new(2), pointer: role(&fresh), ..root }).await;
    let release = copy(&bench.publisher.keys.release[0]);
    bench.publisher = bench.beside(keys(&release, &fresh), Duty::Everything);
    follow(&mut bench).await;
    assert_eq!(bench.publish(&third).await.blocked.len(), 1);
    assert_eq!(bench.pointer("eu").await.withdrawn, [third.digest("eu")]);
}

#[tokio::test]
async fn a23_a_pointer_key_that_was_removed_does_not_speak_after_its_successor() {
    let (mut bench, [first, _, third]) = three().await;
    let (removed, fresh) = (copy(&bench.publisher.keys.pointer[0]), SecretKey::generate());
    bench.rotate(|root| schema::TrustRoot { pointer: role(&fresh), ..root }).await;
    let release = copy(&bench.publisher.keys.release[0]);
    bench.publisher = bench.beside(keys(&release, &fresh), Duty::Everything);
    follow(&mut bench).await;
    // Agents refuse what the old key signed, so it is signed again at once, as the same generation.
    assert_eq!(bench.publish(&third).await.refreshed.len(), 2);
    assert_eq!(bench.order("eu").await, "e1 g3 s2");

    let target =
        crate::publish::read_back(&bench.publisher, &app(), &first.digest("eu")).await.expect("stored").target();
    let newer = |pointer: Pointer| Pointer {
        generation: pointer.generation.next().expect("a next"),
        stable: target,
        ..pointer
    };
    let planted = plant(&bench, &removed, newer).await;
    bench.pass(HOUR);
    for report in [refresh(&bench.publisher, places()).await, bench.publish(&third).await] {
        let damaged = report.failed.iter().any(|failed| {
            matches!(&failed.fault, RegionFault::Damaged { source: NotThePointer::Superseded { version: 1 }, .. })
        });
        assert!(damaged, "{report:?}");
    }
    // Taken away, nothing of it is left.
    bench.remove(&StorePath::History { app: app(), region: region("eu"), order: planted.order() }).await;
    bench.publish(&third).await;
    assert_eq!(bench.pointer("eu").await.stable.digest, third.digest("eu"));
    bench.check().await;
}

#[tokio::test]
async fn a16_a_stolen_pointer_key_chooses_among_what_was_released_and_nothing_else() {
    let (mut bench, [first, second, third]) = three().await;
    bench.rotate(|root| schema::TrustRoot { release_floor: 2, revoked: vec![second.digest("us")], ..root }).await;
    follow(&mut bench).await;
    let thief = Keys { pointer: vec![copy(&bench.publisher.keys.pointer[0])], ..Keys::default() };
    // Content of the thief's own, sealed by the only key that he has.
    let evil = Digest::of(b"evil");
    let whole = schema::manifest::Whole { size: 1, window_log: 23, sha256: evil };
    let manifest = Manifest {
        app: app(),
        digest: evil,
        size: 1,
        entries: 1,
        release_seq: 9,
        commit: third.commit.id().clone(),
        tree: third.commit.tree().clone(),
        compiler: 1,
        encodings: vec![schema::manifest::Encoding::Whole(whole)],
    };
    let forged = Verified::seal(manifest, &[&thief.pointer[0]]);
    bench.put(&StorePath::Manifest { app: app(), digest: evil }, forged.bytes().clone()).await;
    let everything: Vec<Target> = {
        let mut all = vec![Target { digest: evil, manifest: forged.payload_digest() }];
        for tip in [&first, &second, &third] {
            for name in ["eu", "us"] {
                let path = StorePath::Manifest { app: app(), digest: tip.digest(name) };
                let bytes = bench.publisher.store.read(&path, 1 << 20).await.expect("a read").expect("stored").bytes;
                let manifest = Verified::<Manifest>::open(bytes, &bench.publisher.root().release, &Limits::DEFAULT);
                let manifest = manifest.expect("ours");
                all.push(Target { digest: tip.digest(name), manifest: manifest.payload_digest() });
            }
        }
        all
    };
    let mut within_reach = Vec::new();
    for target in everything {
        // Whatever the thief names, agents ask for a manifest that the release keys signed.
        if believed(&bench.publisher, target).await {
            within_reach.push(target.digest);
        }
    }
    assert_eq!(within_reach, [second.digest("eu"), third.digest("eu"), third.digest("us")]);

    // And the tools that he may run sign nothing else for him either.
    let stolen = bench.beside(thief, Duty::Pointer);
    for (target, floor) in [(first.digest("eu"), true), (second.digest("us"), false)] {
        let name = if floor { "eu" } else { "us" };
        let went =
            rollback(&stolen, &app(), &[region(name)], &RollbackTarget::Digest(target), &crate::bench::cause("")).await;
        let refused = went.expect_err("out of reach");
        let RollbackFault::Bundle(error) = &refused.fault else { panic!("{refused:?}") };
        let is_floor = matches!(error.fault, BundleFault::BelowFloor { release_seq: 1, floor: 2 });
        assert!(is_floor == floor && (floor || matches!(error.fault, BundleFault::Revoked)), "{refused:?}");
        assert!(refused.kind() == ErrorKind::Refused && refused.hint().is_some());
    }
    let state = crate::region::settle(&stolen, &app(), &region("eu")).await.expect("a state");
    let order = crate::plan::following(state.standing(), Epoch::FIRST).expect("a next");
    let evil = Target { digest: evil, manifest: forged.payload_digest() };
    let commit = third.commit.id().clone();
    let draft = Draft::backward(state.standing(), evil, commit, Signing::under(order, &stolen)).into_pointer();
    plant(&bench, &stolen.keys.pointer[0], |_| draft).await;
    assert!(!believed(&bench.publisher, bench.pointer("eu").await.stable).await);
}

#[tokio::test]
async fn a_bundle_that_runs_and_is_revoked_is_not_signed_afresh_and_that_is_said() {
    let (mut bench, [_, second, third]) = three().await;
    bench.rotate(|root| schema::TrustRoot { revoked: vec![third.digest("us")], ..root }).await;
    follow(&mut bench).await;
    // At once, not only when it is old; and the other region goes on.
    let report = bench.publish(&third).await;
    let [failed] = &report.failed[..] else { panic!("{report:?}") };
    assert!(failed.region == region("us") && failed.hint().is_some_and(|hint| hint.contains("revert")), "{failed:?}");
    bench.pass(HOUR);
    let report = refresh(&bench.publisher, places()).await;
    assert_eq!((report.refreshed.len(), report.failed.len()), (1, 1));
    assert_eq!(bench.order("us").await, "e1 g3 s1");
    // Going back is the way out, and it is open.
    rollback(&bench.publisher, &app(), &[region("us")], &RollbackTarget::Previous, &crate::bench::cause(""))
        .await
        .expect("it is allowed");
    assert_eq!(bench.pointer("us").await.stable.digest, second.digest("us"));
}

#[tokio::test]
async fn a_stolen_publisher_does_not_survive_a_rotation_of_both_keys() {
    let (mut bench, [_, _, third]) = three().await;
    // The thief, with both keys, released and pointed to a bundle of his own.
    let stolen = keys(&bench.publisher.keys.release[0], &bench.publisher.keys.pointer[0]);
    let evil = bench.tip("evil", "evil");
    let (release, pointer) = (SecretKey::generate(), SecretKey::generate());
    evil.publish(&bench.beside(stolen, Duty::Everything)).await;
    let target = bench.pointer("eu").await.stable;
    assert_eq!(target.digest, evil.digest("eu"));

    bench
        .rotate(|root| schema::TrustRoot {
            epoch: Epoch::new(2),
            release: role(&release),
            pointer: role(&pointer),
            ..root
        })
        .await;
    bench.publisher = bench.beside(keys(&release, &pointer), Duty::Everything);
    follow(&mut bench).await;
    reseal_reach(&bench.publisher, places(), None).await;
    bench.pass(HOUR);
    let report = refresh(&bench.publisher, places()).await;
    let unsealed = |fault: &RegionFault| matches!(fault, RegionFault::Bundle(error) if matches!(error.fault, BundleFault::Unsealed));
    assert!(report.failed.len() == 2 && report.failed.iter().all(|failed| unsealed(&failed.fault)), "{report:?}");
    assert!(!believed(&bench.publisher, target).await);
    let to = RollbackTarget::Digest(evil.digest("us"));
    assert!(rollback(&bench.publisher, &app(), &[region("us")], &to, &crate::bench::cause("")).await.is_err());

    // The branch, which nobody stole, has what is to run.
    let next = bench.tip("3", "3");
    assert_eq!(bench.publish(&next).await.moved.len(), 2);
    let eu = bench.pointer("eu").await.stable;
    assert!(eu.digest == third.digest("eu") && believed(&bench.publisher, eu).await);
}
