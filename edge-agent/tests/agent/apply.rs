//! What an undisturbed agent does.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use hyper::StatusCode;
use schema::{App, Generation, Outcome};

use crate::world::{World, app};

#[tokio::test]
async fn a_first_bundle_is_applied_and_acked() {
    let mut world = World::new().await;
    let digest = world.publish(&[("conf.d/limits.yaml", "rps: 10\n"), ("reload*", "#!/bin/sh\n")]);
    let mut agent = world.start();
    let ack = agent.applied(1).await;
    assert_eq!((ack.attempted, ack.previous, ack.active.map(|active| active.digest)), (digest, None, Some(digest)));
    assert_eq!(ack.bundle_bytes, world.server.object(&world.bundle_path(digest)).len() as u64);
    assert!(ack.notified_at <= ack.at);
    assert_eq!(world.read("conf.d/limits.yaml"), "rps: 10\n");
    world.assert_runs(digest);
    let mode = |path: &str| {
        let metadata = fs::metadata(world.app_folder().current().join(path)).expect("configured");
        metadata.permissions().mode() & 0o7777
    };
    assert_eq!((mode("."), mode("conf.d/limits.yaml"), mode("reload")), (0o555, 0o444, 0o555));
    let served = world.server.until("the ack", |served| !served.acks.is_empty()).await;
    assert_eq!(served.acks, [ack]);
    agent.stop().await;
}

#[tokio::test]
async fn an_update_shares_what_did_not_change() {
    let mut world = World::new().await;
    let first = world.publish(&[("limits.yaml", "rps: 10\n"), ("routes.yaml", "/: a\n")]);
    let mut agent = world.start();
    agent.applied(1).await;
    let second = world.publish(&[("limits.yaml", "rps: 20\n"), ("routes.yaml", "/: a\n")]);
    let ack = agent.applied(2).await;
    assert_eq!((ack.previous, ack.attempted), (Some(first), second));
    world.assert_runs(second);
    let inode =
        |digest, name: &str| fs::metadata(world.app_folder().version(&digest).join(name)).expect("on disk").ino();
    assert_eq!(inode(first, "routes.yaml"), inode(second, "routes.yaml"));
    assert_ne!(inode(first, "limits.yaml"), inode(second, "limits.yaml"));
    agent.stop().await;
}

#[tokio::test]
async fn f33_a_revert_switches_and_moves_no_bundle_byte() {
    let mut world = World::new().await;
    let first = world.publish(&[("limits.yaml", "rps: 10\n")]);
    let mut agent = world.start();
    agent.applied(1).await;
    world.publish(&[("limits.yaml", "rps: 20\n")]);
    agent.applied(2).await;
    let before = world.server.asked(&world.bundle_path(first));
    world.publish(&[("limits.yaml", "rps: 10\n")]);
    let ack = agent.applied(3).await;
    assert_eq!((ack.bundle_bytes, world.server.asked(&world.bundle_path(first))), (0, before));
    world.assert_runs(first);
    agent.stop().await;
}

#[tokio::test]
async fn a_generation_that_changes_no_byte_is_acked_without_a_hook() {
    let mut world = World::new().await;
    let reload = world.script("reload", "echo ran >> \"$(dirname \"$0\")/ran\"");
    world.hook("reload", &reload);
    let digest = world.publish(&[("limits.yaml", "rps: 10\n")]);
    let mut agent = world.start();
    agent.applied(1).await;
    world.point(&app(), |_| ());
    let ack = agent.applied(2).await;
    assert_eq!((ack.previous, ack.bundle_bytes), (Some(digest), 0));
    assert_eq!(fs::read_to_string(world.folder.path().join("ran")).expect("it ran"), "ran\n");
    agent.stop().await;
}

#[tokio::test]
async fn the_last_versions_stay_on_the_disk() {
    let mut world = World::new().await;
    let mut agent = world.start();
    let mut digests = Vec::new();
    for generation in 1..=5 {
        digests.push(world.publish(&[("limits.yaml", &format!("rps: {generation}\n")), ("deep/er/same", "x")]));
        agent.applied(generation).await;
    }
    agent.stop().await;
    let mut kept = digests[2..].to_vec();
    kept.sort();
    assert_eq!(world.status().versions, kept);
    assert_eq!(fs::read_dir(world.app_folder().path().join("stage")).expect("a folder").count(), 0);
}

#[tokio::test]
async fn a_freeze_and_a_quarantine_hold_and_their_end_goes_on() {
    let mut world = World::new().await;
    let first = world.publish(&[("limits.yaml", "rps: 10\n")]);
    let mut agent = world.start();
    agent.applied(1).await;
    let second = world.release(&app(), &[("limits.yaml", "rps: 20\n")]);
    world.point(&app(), |pointer| (pointer.stable, pointer.freeze) = (second, true));
    world.settled().await;
    assert!(agent.is_quiet());
    let agent_id = world.config.id.clone();
    world.point(&app(), |pointer| pointer.quarantine = vec![agent_id]);
    // It shows that it could, and stays where it is.
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.generation, ack.attempted), (Outcome::Prepared, Generation::new(3), second.digest));
    world.settled().await;
    assert!(agent.is_quiet());
    world.assert_runs(first);
    world.point(&app(), |_| ());
    assert_eq!(agent.applied(4).await.bundle_bytes, 0);
    world.assert_runs(second.digest);
    agent.stop().await;
}

#[tokio::test]
async fn a_slow_app_holds_up_no_other() {
    let mut world = World::new().await;
    let other: App = "feature-flags".parse().expect("a name");
    let wait = world.script("wait", "while ! test -e \"$(dirname \"$0\")/go\"; do sleep 0.05; done");
    world.hook("check", &wait);
    world.config.apps.insert(other.clone(), Default::default());
    world.publish(&[("limits.yaml", "rps: 10\n")]);
    let target = world.release(&other, &[("flags.yaml", "dark: true\n")]);
    world.point(&other, |pointer| pointer.stable = target);
    let mut agent = world.start();
    assert_eq!(agent.applied(1).await.app, other);
    fs::write(world.folder.path().join("go"), "").expect("a small file");
    assert_eq!(agent.applied(1).await.app, app());
    agent.stop().await;
}

#[tokio::test]
async fn f15_what_was_not_answered_is_sent_again_after_a_restart() {
    let mut world = World::new().await;
    world.server.change(|served| served.ack_status = Some(StatusCode::SERVICE_UNAVAILABLE));
    world.publish(&[("limits.yaml", "rps: 10\n")]);
    let mut agent = world.start();
    let ack = agent.applied(1).await;
    world.server.until_asked_again("v1/acks", 2).await;
    agent.stop().await;
    assert_eq!(world.status().unanswered, 1);
    world.server.change(|served| served.ack_status = None);
    let agent = world.start();
    let served = world.server.until("the ack", |served| !served.acks.is_empty()).await;
    assert_eq!(served.acks, [ack]);
    agent.stop().await;
}

#[tokio::test]
async fn where_nobody_takes_acks_they_are_dropped_quietly() {
    let mut world = World::new().await;
    world.server.change(|served| served.ack_status = Some(StatusCode::METHOD_NOT_ALLOWED));
    let mut agent = world.start();
    for generation in 1..=2 {
        world.publish(&[("limits.yaml", &format!("rps: {generation}\n"))]);
        agent.applied(generation).await;
    }
    // Once for each ack, and not again; the second only after the answer to the first was taken note of.
    world.server.until("both acks", |served| served.asked.get("v1/acks") == Some(&2)).await;
    world.publish(&[("limits.yaml", "rps: 3\n")]);
    agent.applied(3).await;
    assert!(world.status().unanswered < 3);
    agent.stop().await;
}
