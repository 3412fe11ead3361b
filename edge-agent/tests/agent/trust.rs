//! The chain of trust roots: walked hop by hop, whoever serves it.

use std::fs;
use std::process::Stdio;

use bytes::Bytes;
use schema::keys::{RoleKeys, SecretKey};
use schema::{Digest, Epoch, Generation, StorePath, Timestamp, TrustRoot, Verified};

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::server::{Served, Server};
use crate::world::{Agent, DAY, World, app, now, role};

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

/// The version of the root that an agent keeps.
fn kept(world: &World) -> Option<u64> {
    let bytes = fs::read(world.config.state.join("root")).ok()?;
    let root = Verified::<TrustRoot>::pin(Bytes::from(bytes), &schema::Limits::DEFAULT);
    Some(root.expect("kept whole").version)
}

fn path(version: u64) -> String {
    StorePath::Root { version }.to_string()
}

#[tokio::test]
async fn a21_a22_a_hop_that_breaks_a_rule_is_not_taken_and_the_right_one_is() {
    let two_of = |keys: &[&SecretKey]| {
        RoleKeys::new(2, keys.iter().map(|key| key.public().clone()).collect()).expect("two of several")
    };
    let (a, b, c, thief) = (SecretKey::generate(), SecretKey::generate(), SecretKey::generate(), SecretKey::generate());
    let old_role = two_of(&[&a, &b]);
    let new_role = two_of(&[&b, &c]);
    type Case<'a> = (&'a str, fn(&mut TrustRoot), Vec<&'a SecretKey>);
    let cases: [Case<'_>; 8] = [
        ("not by the old threshold", |_| (), vec![&b, &c]),
        ("not by the new threshold", |_| (), vec![&a, &b]),
        ("by one key twice", |_| (), vec![&b, &b]),
        ("by strangers", |_| (), vec![&thief]),
        ("a version skipped", |root| root.version = 3, vec![&a, &b, &c]),
        ("a version repeated", |root| root.version = 1, vec![&a, &b, &c]),
        ("the epoch lowered", |root| root.epoch = Epoch::new(0), vec![&a, &b, &c]),
        ("more bytes than a root may have", |root| root.revoked = vec![Digest::of(b"x"); 2000], vec![&a, &b, &c]),
    ];
    for (case, change, signers) in cases {
        let mut world = World::with_root(|root| root.root = old_role.clone()).await;
        let pinned = Verified::seal(world.root.clone(), &[&a, &b]);
        fs::write(&world.config.root, pinned.bytes()).expect("our own file");
        let next = TrustRoot { version: 2, root: new_role.clone(), ..world.root.clone() };
        let mut bad = next.clone();
        change(&mut bad);
        world.put_root(2, &bad, &signers);
        world.publish(OLD);
        let mut agent = world.start();
        agent.applied(1).await;
        // Under the root in force everything goes on.
        let new = world.publish(NEW);
        agent.applied(2).await;
        world.assert_runs(new);
        assert_eq!(kept(&world), None, "{case}");
        world.put_root(2, &next, &[&a, &b, &c]);
        world.publish(OLD);
        agent.applied(3).await;
        assert_eq!(kept(&world), Some(2), "{case}");
        agent.stop().await;
    }
}

#[tokio::test]
async fn a21_a_root_that_is_refused_is_logged_once_with_the_rule_it_breaks() {
    let mut world = World::new().await;
    let next = TrustRoot { version: 2, ..world.root.clone() };
    world.put_root(2, &next, &[&SecretKey::generate()]);
    world.publish(OLD);
    let mut child = Command::new(env!("CARGO_BIN_EXE_driftless-agent"))
        .args(["run", "--config"])
        .arg(world.write_config())
        .env("DRIFTLESS_LOG", "error")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program was built for the test");
    // With each new pointer it is asked for anew.
    for (generation, files) in (2..).zip([NEW, OLD, NEW]) {
        world.settled().await;
        world.publish(files);
        let applied = |served: &Served| served.acks.iter().any(|ack| ack.generation == Generation::new(generation));
        world.server.until("applied under the root in force", applied).await;
    }
    assert!(world.server.asked(&path(2)) >= 4);
    child.start_kill().expect("our own child");
    let mut log = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut log).await.expect("text");
    child.wait().await.expect("our own child");
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("Trust root 2 is offered and refused; version 1 stays"), "{log}");
    assert!(log.contains("not signed by the root in force"), "{log}");
}

#[tokio::test]
async fn a22_an_agent_that_was_away_for_three_rotations_converges() {
    let (mut world, agent, _) = running().await;
    agent.stop().await;
    let stolen = std::mem::replace(&mut world.keys.pointer, SecretKey::generate());
    let key = world.keys.pointer.public().clone();
    world.rotate(|root| root.pointer = RoleKeys::new(1, vec![key.clone()]).expect("one of one"));
    world.keys.release = SecretKey::generate();
    let release = role(&world.keys.release);
    world.rotate(|root| root.release = release);
    // The last one changes the root keys themselves, signed by both.
    let old = std::mem::replace(&mut world.keys.root, SecretKey::generate());
    let next = TrustRoot { version: 4, root: role(&world.keys.root), ..world.root.clone() };
    world.put_root(4, &next, &[&old, &world.keys.root]);
    world.root = next;
    let forged = world.next_pointer(&app(), |pointer| pointer.generation = Generation::new(9));
    world.serve_pointer(&app(), Verified::seal(forged, &[&stolen]).bytes().clone());
    let mut agent = world.start();
    world.server.until_asked_again(&world.pointer_path(), 2).await;
    assert!(agent.is_quiet(), "a23: a key that is no longer listed opens nothing, however high the generation");
    let new = world.publish(NEW);
    agent.applied(2).await;
    world.assert_runs(new);
    assert_eq!(kept(&world), Some(4));
    agent.stop().await;
}

#[tokio::test]
async fn a17_a_generation_far_ahead_is_recovered_from_by_the_next_epoch() {
    let (mut world, mut agent, old) = running().await;
    let far = Generation::new(1 + (1 << 20));
    let too_far = world.next_pointer(&app(), |pointer| pointer.generation = Generation::new(far.number() + 1));
    world.serve_pointer(&app(), Verified::seal(too_far, &[&world.keys.pointer]).bytes().clone());
    world.server.until_asked_again(&world.pointer_path(), 2).await;
    assert!(agent.is_quiet(), "a jump beyond the limit is refused");
    // Within the limit it is accepted, and honest generations are rollbacks from then on.
    world.point(&app(), |pointer| pointer.generation = far);
    assert_eq!(agent.ack().await.generation, far);
    let target = world.release(&app(), NEW);
    let honest = world.next_pointer(&app(), |pointer| {
        (pointer.generation, pointer.prev, pointer.stable) = (Generation::new(2), None, target);
    });
    world.serve_pointer(&app(), Verified::seal(honest, &[&world.keys.pointer]).bytes().clone());
    world.server.until_asked_again(&world.pointer_path(), 2).await;
    assert!(agent.is_quiet());
    world.assert_runs(old);
    let stolen = std::mem::replace(&mut world.keys.pointer, SecretKey::generate());
    let pointer = role(&world.keys.pointer);
    world.rotate(|root| (root.epoch, root.pointer) = (Epoch::new(2), pointer));
    world.pointers.clear();
    world.point(&app(), |pointer| pointer.stable = target);
    let ack = agent.applied(1).await;
    assert_eq!((ack.epoch, ack.attempted), (Epoch::new(2), target.digest));
    world.assert_runs(target.digest);
    // What the thief signs in the old epoch is nothing any more, also after a restart.
    world.settled().await;
    agent.stop().await;
    let mut agent = world.start();
    let forged = world.next_pointer(&app(), |pointer| {
        (pointer.epoch, pointer.generation) = (Epoch::FIRST, Generation::new(far.number() + 1));
    });
    world.serve_pointer(&app(), Verified::seal(forged, &[&stolen]).bytes().clone());
    world.server.until_asked_again(&world.pointer_path(), 2).await;
    assert!(agent.is_quiet());
    world.assert_runs(target.digest);
    agent.stop().await;
}

#[tokio::test]
async fn a07_a_mirror_that_stalls_or_withholds_hides_no_root_that_another_has() {
    let hiding = Server::start().await;
    let mut world = World::new().await;
    world.config.from.insert(0, hiding.url().parse().expect("a base URL"));
    hiding.stall(&path(2));
    world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    for _ in 2..=4 {
        world.rotate(|_| ());
    }
    world.publish(NEW);
    agent.applied(2).await;
    assert_eq!(kept(&world), Some(4));
    agent.stop().await;
}

#[tokio::test]
async fn a_damaged_root_is_walked_to_again_from_the_pinned_one() {
    let (mut world, mut agent, _) = running().await;
    world.keys.pointer = SecretKey::generate();
    let pointer = role(&world.keys.pointer);
    world.rotate(|root| root.pointer = pointer);
    world.publish(NEW);
    agent.applied(2).await;
    agent.stop().await;
    let kept_at = world.config.state.join("root");
    let whole = fs::read(&kept_at).expect("a root was walked to");
    for damaged in [&whole[..whole.len() / 2], b"", b"\xff\xfe\n"] {
        fs::write(&kept_at, damaged).expect("our own file");
        let mut agent = world.start();
        world.server.until("walked to again", |_| fs::read(&kept_at).is_ok_and(|kept| kept == whole)).await;
        world.settled().await;
        assert!(agent.is_quiet());
        agent.stop().await;
    }
}

#[tokio::test]
async fn f37_a_new_root_is_walked_to_though_the_pointer_stays_and_ends_the_hold() {
    let mut world = World::with_root(|root| root.expires = now().after(DAY)).await;
    let old = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    world.settled().await;
    // It counts no more from now on.
    world.rotate(|root| root.expires = Timestamp::from_unix_millis(1));
    assert_eq!(agent.ack().await.outcome, schema::Outcome::Stale);
    world.assert_runs(old);
    world.rotate(|root| root.expires = now().after(DAY));
    agent.applied(1).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_manifest_that_was_sealed_again_for_new_release_keys_vouches_for_an_old_bundle() {
    let (mut world, mut agent, _) = running().await;
    let target = world.release(&app(), NEW);
    let sealed = world.server.object(&world.manifest_path(target.digest));
    let manifest: schema::Manifest =
        serde_json::from_slice(sealed.split(|byte| *byte == b'\n').next().expect("a line")).expect("as signed");
    world.keys.release = SecretKey::generate();
    let release = role(&world.keys.release);
    world.rotate(|root| root.release = release);
    world.point(&app(), |pointer| pointer.stable = target);
    let refused = agent.ack().await;
    assert_eq!((refused.outcome, refused.step), (schema::Outcome::Refused, Some(schema::ack::Step::Verify)));
    let again = StorePath::Resealed { app: app(), digest: target.digest, role: world.root.release.fingerprint() };
    world.put(&again, Verified::seal(manifest, &[&world.keys.release]).bytes().clone());
    agent.applied(2).await;
    world.assert_runs(target.digest);
    agent.stop().await;
}

#[tokio::test]
async fn a_bundle_that_is_taken_back_while_it_is_fetched_is_not_switched_to() {
    let (mut world, mut agent, old) = running().await;
    let target = world.release(&app(), NEW);
    let bundle = world.bundle_path(target.digest);
    world.server.stall(&bundle);
    world.point(&app(), |pointer| pointer.stable = target);
    world.server.until_asked_again(&bundle, 1).await;
    world.rotate(|root| root.revoked = vec![target.digest]);
    world.server.until("walked to", |_| kept(&world) == Some(2)).await;
    world.server.change(|served| served.stalled.clear());
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step), (schema::Outcome::Refused, Some(schema::ack::Step::Verify)), "{ack:?}");
    world.assert_runs(old);
    agent.stop().await;
}
