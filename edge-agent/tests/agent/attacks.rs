//! What a mirror, a bucket or a thief of one key can do to an agent: nothing that changes what runs, and nothing that lasts.

use std::fs;

use bytes::Bytes;
use schema::ack::Step;
use schema::keys::{RoleKeys, SecretKey};
use schema::{Ack, Digest, Generation, Outcome, StorePath, Timestamp, Verified};

use crate::server::Server;
use crate::world::{Agent, DAY, World, app, now};

const OLD: &[(&str, &str)] = &[("limits.yaml", "rps: 10\n")];
const NEW: &[(&str, &str)] = &[("limits.yaml", "rps: 20\n")];

/// An agent that runs `OLD` as generation 1.
async fn running() -> (World, Agent, Digest) {
    let mut world = World::new().await;
    let old = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    world.settled().await;
    (world, agent, old)
}

fn assert_refused(ack: &Ack, step: Step, old: Digest) {
    assert_eq!((ack.outcome, ack.step), (Outcome::Refused, Some(step)), "{ack:?}");
    assert_eq!((ack.generation, ack.active.map(|active| active.digest)), (Generation::new(2), Some(old)), "{ack:?}");
}

/// Nothing but the versions that were applied, and nothing in the stage.
fn assert_clean(world: &World, versions: usize) {
    assert_eq!(world.status().versions.len(), versions);
    let stage = fs::read_dir(world.app_folder().path().join("stage")).expect("a folder");
    assert_eq!(stage.count(), 0);
}

fn flipped(bytes: &Bytes, at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}

#[tokio::test]
async fn a01_a_bundle_that_was_changed_is_refused_and_the_right_one_applied() {
    type Tamper = fn(&Bytes) -> Bytes;
    let ways: [(&str, Tamper); 4] = [
        ("flipped", |good| flipped(good, good.len() / 2)),
        ("truncated", |good| good.slice(..good.len() - 1)),
        ("padded", |good| [&good[..], b"\0"].concat().into()),
        ("empty", |_| Bytes::new()),
    ];
    for (way, tamper) in ways {
        let (mut world, mut agent, old) = running().await;
        let target = world.release(&app(), NEW);
        let path = StorePath::Bundle { app: app(), digest: target.digest };
        let good = world.server.object(&path.to_string());
        world.put(&path, tamper(&good));
        world.point(&app(), |pointer| pointer.stable = target);
        assert_refused(&agent.ack().await, Step::Fetch, old);
        world.server.until_asked_again(&path.to_string(), 1).await;
        world.assert_runs(old);
        assert_eq!(world.status().versions, [old], "{way}");
        world.put(&path, good);
        agent.applied(2).await;
        world.assert_runs(target.digest);
        world.settled().await;
        assert_clean(&world, 2);
        agent.stop().await;
    }
}

#[tokio::test]
async fn a01_the_same_refusal_is_told_once() {
    let (mut world, mut agent, old) = running().await;
    let target = world.release(&app(), NEW);
    let path = world.bundle_path(target.digest);
    let good = world.server.object(&path);
    let wrong = flipped(&good, 9);
    world.put(&path.parse().expect("a store path"), wrong.clone());
    world.point(&app(), |pointer| pointer.stable = target);
    let ack = agent.ack().await;
    assert_refused(&ack, Step::Fetch, old);
    let (bundle, url) = (target.digest.short(), world.server.url());
    let (sent, signed) = (Digest::of(&wrong).short(), Digest::of(&good).short());
    assert_eq!(
        ack.reason.as_deref(),
        Some(&*format!("bundle {bundle}: {url} sends bytes of sha256 {sent} for {signed}"))
    );
    world.server.until_asked_again(&path, 3).await;
    assert!(agent.is_quiet());
    agent.stop().await;
}

#[tokio::test]
async fn a02_a_pointer_without_the_right_signature_is_refused() {
    for way in ["absent", "empty", "another file's", "a stranger's", "another role's", "a changed payload"] {
        let (mut world, mut agent, old) = running().await;
        let target = world.release(&app(), NEW);
        let pointer = world.next_pointer(&app(), |pointer| pointer.stable = target);
        let by = |key: &SecretKey| Verified::seal(pointer.clone(), &[key]).bytes().clone();
        let signed = by(&world.keys.pointer);
        let in_force = world.server.object(&world.pointer_path());
        let line = |bytes: &Bytes| bytes.iter().position(|byte| *byte == b'\n').expect("a payload line") + 1;
        let payload = signed.slice(..line(&signed));
        let bytes = match way {
            "absent" => payload,
            "empty" => [&payload[..], b"\n\n\n\n"].concat().into(),
            "another file's" => [&payload[..], &in_force[line(&in_force)..]].concat().into(),
            "a stranger's" => by(&SecretKey::generate()),
            "another role's" => by(&world.keys.release),
            _ => flipped(&signed, payload.len() - 5),
        };
        world.serve_pointer(&app(), bytes);
        world.server.until_asked_again(&world.pointer_path(), 2).await;
        assert_eq!(world.server.asked(&world.bundle_path(target.digest)), 0, "{way}");
        world.assert_runs(old);
        assert!(agent.is_quiet(), "{way}");
        world.point(&app(), |pointer| pointer.stable = target);
        agent.applied(2).await;
        world.assert_runs(target.digest);
        agent.stop().await;
    }
}

#[tokio::test]
async fn a02_a_manifest_without_the_right_signature_is_refused() {
    let (mut world, mut agent, old) = running().await;
    let target = world.release(&app(), NEW);
    let path = world.manifest_path(target.digest);
    let good = world.server.object(&path);
    let manifest: schema::Manifest = serde_json::from_slice(good.split(|byte| *byte == b'\n').next().expect("a line"))
        .expect("the manifest as signed");
    let forged = Verified::seal(manifest, &[&world.keys.pointer]);
    world.put(&path.parse().expect("a store path"), forged.bytes().clone());
    world.point(&app(), |pointer| pointer.stable = target);
    assert_refused(&agent.ack().await, Step::Verify, old);
    assert_eq!(world.server.asked(&world.bundle_path(target.digest)), 0);
    world.put(&path.parse().expect("a store path"), good);
    agent.applied(2).await;
    world.assert_runs(target.digest);
    agent.stop().await;
}

#[tokio::test]
async fn a03_an_older_pointer_is_ignored_also_after_a_restart_and_without_the_versions() {
    let (mut world, mut agent, old) = running().await;
    let first = world.server.object(&world.pointer_path());
    let new = world.publish(NEW);
    agent.applied(2).await;
    world.settled().await;
    let second = world.server.object(&world.pointer_path());
    world.serve_pointer(&app(), first.clone());
    world.server.until_asked_again(&world.pointer_path(), 2).await;
    world.assert_runs(new);
    agent.stop().await;

    let mut agent = world.start();
    world.server.until_asked_again(&world.pointer_path(), 2).await;
    assert!(agent.is_quiet());
    world.assert_runs(new);
    agent.stop().await;

    fs::remove_file(world.app_folder().current()).expect("our own link");
    edge_agent_removes(&world, old);
    edge_agent_removes(&world, new);
    let mut agent = world.start();
    world.server.until_asked_again(&world.pointer_path(), 2).await;
    assert!(agent.is_quiet());
    assert!(world.app_folder().current().symlink_metadata().is_err());
    world.serve_pointer(&app(), second);
    assert_eq!(agent.ack().await.attempted, new);
    world.assert_runs(new);
    agent.stop().await;
}

/// Removes a version by hand.
fn edge_agent_removes(world: &World, digest: Digest) {
    let tree = world.app_folder().version(&digest);
    if tree.exists() {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&tree, mode).expect("our own tree");
        fs::remove_dir_all(tree).expect("our own tree");
    }
}

#[tokio::test]
async fn a07_one_bad_mirror_of_two_changes_nothing() {
    let bad = Server::start().await;
    let mut world = World::new().await;
    let good_url = world.config.from[0].clone();
    world.config.from = vec![bad.url().parse().expect("a base URL"), good_url];
    let digest = world.publish(OLD);
    let (path, bundle) = (world.bundle_path(digest), world.server.object(&world.bundle_path(digest)));
    let pointer = world.server.object(&world.pointer_path());
    bad.change(|served| {
        served.objects.insert(path, flipped(&bundle, 7));
        served.objects.insert(world.pointer_path(), flipped(&pointer, 7));
        served.objects.insert(world.manifest_path(digest), Bytes::from_static(b"<html>not here</html>"));
    });
    let mut agent = world.start();
    agent.applied(1).await;
    world.assert_runs(digest);
    agent.stop().await;
}

#[tokio::test]
async fn a08_a_pointer_of_another_region_or_app_and_a_manifest_of_another_generation_are_refused() {
    let (mut world, mut agent, old) = running().await;
    let target = world.release(&app(), NEW);
    let elsewhere = world.next_pointer(&app(), |pointer| {
        (pointer.stable, pointer.region) = (target, "us-east".parse().expect("a name"));
    });
    let others = world.next_pointer(&app(), |pointer| {
        (pointer.stable, pointer.app) = (target, "feature-flags".parse().expect("a name"));
    });
    for pointer in [elsewhere, others] {
        world.serve_pointer(&app(), Verified::seal(pointer, &[&world.keys.pointer]).bytes().clone());
        world.server.until_asked_again(&world.pointer_path(), 2).await;
        world.assert_runs(old);
    }
    assert!(agent.is_quiet());
    let good = world.server.object(&world.manifest_path(target.digest));
    let of_old = world.server.object(&world.manifest_path(old));
    world.put(&StorePath::Manifest { app: app(), digest: target.digest }, of_old);
    world.point(&app(), |pointer| pointer.stable = target);
    assert_refused(&agent.ack().await, Step::Verify, old);
    world.put(&StorePath::Manifest { app: app(), digest: target.digest }, good);
    agent.applied(2).await;
    agent.stop().await;
}

#[tokio::test]
async fn a08_another_manifest_of_the_right_bundle_is_refused() {
    let (mut world, mut agent, old) = running().await;
    let target = world.release(&app(), NEW);
    let path = StorePath::Manifest { app: app(), digest: target.digest };
    let good = world.server.object(&path.to_string());
    let mut manifest: schema::Manifest =
        serde_json::from_slice(good.split(|byte| *byte == b'\n').next().expect("a line")).expect("as signed");
    manifest.release_seq += 1;
    world.put(&path, Verified::seal(manifest, &[&world.keys.release]).bytes().clone());
    world.point(&app(), |pointer| pointer.stable = target);
    assert_refused(&agent.ack().await, Step::Verify, old);
    world.put(&path, good);
    agent.applied(2).await;
    agent.stop().await;
}

#[tokio::test]
async fn a09_another_bundle_under_the_name_of_the_right_one_is_refused() {
    let (mut world, mut agent, old) = running().await;
    let target = world.release(&app(), NEW);
    let good = world.server.object(&world.bundle_path(target.digest));
    let other = world.server.object(&world.bundle_path(old));
    world.put(&StorePath::Bundle { app: app(), digest: target.digest }, other);
    world.point(&app(), |pointer| pointer.stable = target);
    assert_refused(&agent.ack().await, Step::Fetch, old);
    world.put(&StorePath::Bundle { app: app(), digest: target.digest }, good);
    agent.applied(2).await;
    world.assert_runs(target.digest);
    agent.stop().await;
}

#[tokio::test]
async fn a09_a_bundle_that_is_not_what_its_signed_digest_says_is_refused() {
    // A stolen release key signs the sha256 of a frame that unpacks to something else.
    let (mut world, mut agent, old) = running().await;
    let target = world.release(&app(), NEW);
    let sealed = world.server.object(&world.manifest_path(target.digest));
    let mut manifest: schema::Manifest =
        serde_json::from_slice(sealed.split(|byte| *byte == b'\n').next().expect("a line"))
            .expect("the manifest as signed");
    manifest.digest = Digest::of(b"another");
    let bundle = world.server.object(&world.bundle_path(target.digest));
    let sealed = Verified::seal(manifest, &[&world.keys.release]);
    world.put(&StorePath::Bundle { app: app(), digest: sealed.digest }, bundle);
    world.put(&StorePath::Manifest { app: app(), digest: sealed.digest }, sealed.bytes().clone());
    let lying = schema::Target { digest: sealed.digest, manifest: sealed.payload_digest() };
    world.point(&app(), |pointer| pointer.stable = lying);
    assert_refused(&agent.ack().await, Step::Stage, old);
    assert_clean(&world, 1);
    world.point(&app(), |pointer| pointer.stable = target);
    agent.applied(3).await;
    agent.stop().await;
}

#[tokio::test]
async fn a16_a_bundle_that_the_root_took_back_or_that_is_below_the_floor_is_refused() {
    let new = crate::world::pack(NEW).1.digest;
    for case in ["revoked", "below the floor"] {
        let mut world = World::with_root(|root| match case {
            "revoked" => root.revoked.push(new),
            _ => root.release_floor = 8,
        })
        .await;
        world.publish(NEW);
        let mut agent = world.start();
        let ack = agent.ack().await;
        assert_eq!((ack.outcome, ack.step, ack.active), (Outcome::Refused, Some(Step::Verify), None), "{case}");
        agent.stop().await;
    }
}

#[tokio::test]
async fn a18_of_two_pointers_of_one_generation_the_first_stays() {
    let (mut world, mut agent, old) = running().await;
    let honest = world.server.object(&world.pointer_path());
    let target = world.release(&app(), NEW);
    let first = world.pointers[&app()].clone();
    let twin = world.next_pointer(&app(), |pointer| {
        (pointer.generation, pointer.serial, pointer.prev, pointer.stable) =
            (first.generation, first.serial, first.prev, target);
    });
    world.serve_pointer(&app(), Verified::seal(twin, &[&world.keys.pointer]).bytes().clone());
    world.server.until_asked_again(&world.pointer_path(), 2).await;
    assert!(agent.is_quiet());
    world.assert_runs(old);
    world.serve_pointer(&app(), honest);
    world.settled().await;
    agent.stop().await;
}

#[tokio::test]
async fn a23_a_key_that_the_newest_root_took_out_opens_nothing_and_the_new_one_does() {
    let (mut world, mut agent, old) = running().await;
    let stolen = std::mem::replace(&mut world.keys.pointer, SecretKey::generate());
    let target = world.release(&app(), NEW);
    let role = RoleKeys::new(1, vec![world.keys.pointer.public().clone()]).expect("one of one");
    let next = schema::TrustRoot { version: 2, pointer: role, ..world.root.clone() };
    world.put(&StorePath::Root { version: 2 }, Verified::seal(next, &[&world.keys.root]).bytes().clone());
    let forged = world.next_pointer(&app(), |pointer| pointer.stable = target);
    world.serve_pointer(&app(), Verified::seal(forged, &[&stolen]).bytes().clone());
    world.server.until_asked_again(&world.pointer_path(), 2).await;
    assert!(agent.is_quiet());
    world.assert_runs(old);
    world.point(&app(), |pointer| pointer.stable = target);
    agent.applied(2).await;
    agent.stop().await;
    // The root that was walked to is still in force after a restart, and without the store's help.
    world.server.change(|served| served.objects.retain(|path, _| !path.starts_with("v1/trust")));
    let mut agent = world.start();
    let third = world.publish(&[("limits.yaml", "rps: 30\n")]);
    agent.applied(3).await;
    world.assert_runs(third);
    agent.stop().await;
}

#[tokio::test]
async fn a21_a_root_that_the_root_in_force_did_not_sign_is_not_walked_to() {
    let (mut world, mut agent, _) = running().await;
    let thief = SecretKey::generate();
    let role = RoleKeys::new(1, vec![thief.public().clone()]).expect("one of one");
    let next = schema::TrustRoot { version: 2, root: role.clone(), pointer: role, ..world.root.clone() };
    world.put(&StorePath::Root { version: 2 }, Verified::seal(next, &[&thief]).bytes().clone());
    let new = world.publish(NEW);
    agent.applied(2).await;
    world.assert_runs(new);
    agent.stop().await;
}

#[tokio::test]
async fn a27_a_pointer_that_is_gone_removes_nothing() {
    let (mut world, mut agent, old) = running().await;
    let path = world.pointer_path();
    world.server.change(|served| drop(served.objects.remove(&path)));
    world.server.until_asked_again(&path, 2).await;
    world.assert_runs(old);
    agent.stop().await;
    agent = world.start();
    world.server.until_asked_again(&path, 2).await;
    assert!(agent.is_quiet());
    world.assert_runs(old);
    let new = world.publish(NEW);
    agent.applied(2).await;
    world.assert_runs(new);
    agent.stop().await;
}

#[tokio::test]
async fn a04_an_expired_pointer_is_told_of_once_and_applied_never() {
    let (mut world, mut agent, old) = running().await;
    let target = world.release(&app(), NEW);
    world.point(&app(), |pointer| {
        (pointer.stable, pointer.issued, pointer.expires) = (target, Timestamp::UNIX_EPOCH, now());
    });
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.generation), (Outcome::Stale, Generation::new(2)));
    world.assert_runs(old);
    assert_eq!(world.server.asked(&world.bundle_path(target.digest)), 0);
    agent.stop().await;
    let mut agent = world.start();
    world.server.until_asked_again(&world.pointer_path(), 2).await;
    assert!(agent.is_quiet());
    world.resign(|pointer| (pointer.issued, pointer.expires) = (now(), now().after(DAY)));
    agent.applied(2).await;
    world.assert_runs(target.digest);
    agent.stop().await;
}

#[tokio::test]
async fn f37_when_the_root_expires_the_agent_holds_and_says_so() {
    let mut world = World::with_root(|root| root.expires = Timestamp::from_unix_millis(1)).await;
    world.publish(OLD);
    let mut agent = world.start();
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.active), (Outcome::Stale, None));
    agent.stop().await;
}
