//! What a host can do to its own agent.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use edge_agent::{AgentError, LockError};
use schema::ack::Step;
use schema::{Digest, Generation, Outcome, Timestamp};
use tokio::process::Command;
use tokio::time::timeout;

use crate::server::Served;
use crate::world::{Agent, World, app};

const OLD: &[(&str, &str)] = &[("limits.yaml", "rps: 10\n")];
const NEW: &[(&str, &str)] = &[("limits.yaml", "rps: 20\n")];

#[tokio::test]
async fn f10_a_second_agent_on_the_same_state_is_refused() {
    let mut world = World::new().await;
    world.publish(OLD);
    let mut first = world.start();
    first.applied(1).await;
    let refused = world.start().ended().await.expect_err("the folder is taken");
    assert!(matches!(refused, AgentError::Lock(LockError::Taken { .. })), "{refused}");
    first.stop().await;
    world.start().stop().await;
}

#[tokio::test]
async fn f09_a_damaged_journal_holds_its_app_and_no_other() {
    let mut world = World::new().await;
    let old = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    agent.stop().await;
    let journal = world.app_folder().journal();
    let mut bytes = fs::read(&journal).expect("a journal");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&journal, &bytes).expect("our own file");

    let other: schema::App = "feature-flags".parse().expect("a name");
    world.config.apps.insert(other.clone(), Default::default());
    let target = world.release(&other, NEW);
    world.point(&other, |pointer| pointer.stable = target);
    world.publish(NEW);
    let mut agent = world.start();
    assert_eq!(agent.applied(1).await.app, other);
    assert!(agent.is_quiet());
    world.assert_runs(old);
    assert_eq!(fs::read(&journal).expect("a journal"), bytes);
    let problem = world.status().problem.expect("a damaged journal");
    assert!(problem.contains("is damaged in line") && problem.contains("`current` is left as it is"), "{problem}");
    agent.stop().await;
}

#[tokio::test]
async fn f02_a_torn_journal_is_mended_and_the_generation_finished() {
    let mut world = World::new().await;
    let old = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    agent.stop().await;
    let journal = world.app_folder().journal();
    let bytes = fs::read(&journal).expect("a journal");
    fs::write(&journal, [&bytes[..], b"0123456789abcdef {\"rec"].concat()).expect("our own file");
    let mut agent = world.start();
    let new = world.publish(NEW);
    assert_eq!(agent.applied(2).await.previous, Some(old));
    world.assert_runs(new);
    agent.stop().await;
}

#[tokio::test]
async fn f04_a_disk_that_refuses_is_told_of_and_tried_again() {
    let mut world = World::new().await;
    let old = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    world.settled().await;
    let stage = world.app_folder().path().join("stage");
    fs::remove_dir(&stage).expect("an empty stage");
    fs::write(&stage, b"in the way").expect("a free name");
    let new = world.publish(NEW);
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step), (Outcome::Failed, Some(Step::Disk)), "{ack:?}");
    world.assert_runs(old);
    fs::remove_file(&stage).expect("our own file");
    fs::create_dir(&stage).expect("a free name");
    loop {
        let ack = agent.ack().await;
        if ack.outcome == Outcome::Applied {
            break;
        }
        assert_eq!((ack.outcome, ack.step), (Outcome::Failed, Some(Step::Disk)), "{ack:?}");
    }
    world.assert_runs(new);
    agent.stop().await;
}

#[tokio::test]
async fn f04_a_full_disk_leaves_what_runs_alone_and_what_fits_is_applied() {
    let mut world = World::new().await;
    fs::create_dir(&world.config.state).expect("a free name");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o size=300k none \"$1\" && exec \"$2\" run --config \"$3\"").arg("sh");
    command.arg(&world.config.state).arg(env!("CARGO_BIN_EXE_driftless-agent")).arg(world.write_config());
    let mut child = command.stderr(Stdio::null()).kill_on_drop(true).spawn().expect("`unshare` is installed");
    let small = world.publish(OLD);
    let told = |outcome, generation| {
        move |served: &Served| {
            served.acks.iter().any(|ack| (ack.outcome, ack.generation) == (outcome, Generation::new(generation)))
        }
    };
    world.server.until("the first is applied", told(Outcome::Applied, 1)).await;
    // Too random to be compressed, too large for the disk.
    let noise: String = (0_u32..8_000).map(|number| Digest::of(&number.to_be_bytes()).to_string()).collect();
    world.publish(&[("noise", &noise)]);
    let served = world.server.until("the second is not", told(Outcome::Failed, 2)).await;
    let ack = served.acks.iter().find(|ack| ack.outcome == Outcome::Failed).expect("just seen");
    assert_eq!((ack.step, ack.active.map(|active| active.digest)), (Some(Step::Disk), Some(small)), "{ack:?}");
    world.publish(NEW);
    world.server.until("the third is", told(Outcome::Applied, 3)).await;
    child.kill().await.expect("our own child");
}

#[tokio::test]
async fn what_somebody_took_away_is_put_back_at_the_next_start() {
    let mut world = World::new().await;
    let digest = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    agent.stop().await;
    fs::remove_file(world.app_folder().current()).expect("our own link");
    let mut agent = world.start();
    assert_eq!(agent.applied(1).await.bundle_bytes, 0);
    world.assert_runs(digest);
    agent.stop().await;
}

#[tokio::test]
async fn what_lies_in_the_way_of_a_version_is_no_version_and_folders_that_are_gone_come_back() {
    let mut world = World::new().await;
    world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    world.settled().await;
    let target = world.release(&app(), NEW);
    let folder = world.app_folder();
    fs::write(folder.version(&target.digest), "junk").expect("a free name");
    fs::remove_dir(folder.path().join("stage")).expect("an empty stage");
    world.point(&app(), |pointer| pointer.stable = target);
    agent.applied(2).await;
    world.assert_runs(target.digest);
    agent.stop().await;
}

#[tokio::test]
async fn f13_without_anybody_to_ask_what_runs_goes_on_running() {
    let mut world = World::new().await;
    let digest = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    agent.stop().await;
    world.config.from = vec!["http://127.0.0.1:1/".parse().expect("a base URL")];
    let agent = world.start();
    agent.stop().await;
    world.assert_runs(digest);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_poll() {
    let mut world = World::new().await;
    world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    world.settled().await;
    timeout(Duration::from_secs(30), agent.stop()).await.expect("far less than a long-poll");
}

#[tokio::test]
async fn a_version_that_was_changed_by_hand_is_found_out() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut world = World::new().await;
    let digest = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    agent.stop().await;
    let file = world.app_folder().current().join("limits.yaml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("our own file");
    fs::write(&file, "rps: 99\n").expect("our own file");
    let proofs = edge_agent::verify(&world.config.state).expect("a state folder");
    assert!(!proofs[0].finding.is_sound(), "{proofs:?}");
    assert_eq!(world.status().active, Some(digest));
}

#[tokio::test]
async fn many_agents_share_one_runtime() {
    let mut world = World::new().await;
    let digest = world.publish(OLD);
    let mut agents = Vec::new();
    for number in 0..20 {
        let mut config = world.config.clone();
        config.id = format!("web-{number}").parse().expect("a name");
        config.state = world.folder.path().join(format!("state-{number}"));
        agents.push(Agent::start(config));
    }
    for agent in &mut agents {
        assert_eq!(agent.applied(1).await.attempted, digest);
    }
    let new = world.publish(NEW);
    for mut agent in agents {
        let ack = agent.applied(2).await;
        assert_eq!(ack.attempted, new);
        assert!(ack.notified_at > Timestamp::UNIX_EPOCH);
        agent.stop().await;
    }
}
