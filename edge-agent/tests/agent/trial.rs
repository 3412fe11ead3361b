//! `confirm_within`: what nobody confirms goes by itself, whatever became of the network.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use schema::ack::Step;
use schema::pointer::{Candidate, Phase, Target};
use schema::{Digest, Generation, Outcome};
use tokio::process::{Child, Command};

use crate::rollout::candidate;
use crate::world::{World, app, now};

const NEW: &[(&str, &str)] = &[("limits.yaml", "rps: 20\n")];

fn on_trial(target: Target, seconds: u32) -> Candidate {
    Candidate { confirm_within_s: seconds, ..candidate(target, Phase::Activate) }
}

fn confirmed(target: Target) -> Candidate {
    let mut candidate = on_trial(target, 1);
    candidate.slice.confirmed = true;
    candidate
}

#[tokio::test]
async fn what_a_pointer_confirms_stays() {
    let mut world = World::new().await;
    let (mut agent, _, new) = world.before(NEW).await;
    world.roll(on_trial(new, 3600));
    agent.applied(2).await;
    let gauge = format!("driftless_agent_on_trial{{app=\"{}\"}}", app());
    world.metric(&gauge, |value| value == 1.0).await;
    let confirm_by = world.status().confirm_by.expect("it is on trial");
    assert!(confirm_by > now());
    // A newer generation that confirms nothing changes nothing about the time.
    world.roll(on_trial(new, 7200));
    agent.applied(3).await;
    assert_eq!(world.status().confirm_by, Some(confirm_by));
    world.roll(confirmed(new));
    agent.applied(4).await;
    assert_eq!(world.status().confirm_by, None);
    world.metric(&gauge, |value| value == 0.0).await;
    agent.stop().await;
    let mut agent = world.start();
    world.settled().await;
    assert!(agent.is_quiet());
    world.assert_runs(new.digest);
    agent.stop().await;
}

#[tokio::test]
async fn what_nobody_confirms_goes_and_is_not_taken_again_before_it_is_confirmed() {
    let mut world = World::new().await;
    world.writing_hook("reload");
    let (mut agent, old, new) = world.before(NEW).await;
    world.roll(on_trial(new, 1));
    assert_eq!(agent.applied(2).await.attempted, new.digest);
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step), (Outcome::Failed, Some(Step::Confirm)));
    assert_eq!((ack.generation, ack.attempted), (Generation::new(2), new.digest));
    assert_eq!((ack.active.map(|active| active.digest), ack.failures), (Some(old), 0));
    assert_eq!(ack.reason.as_deref(), Some("confirm: nobody confirmed it within 1s"));
    world.assert_runs(old);
    let calls = [format!("1-1 {old}"), format!("1-2 {}", new.digest), format!("1-2 {old}")];
    assert_eq!(world.calls("reload"), calls);

    world.roll(candidate(new, Phase::Prepare));
    agent.applied(3).await;
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step), (Outcome::Unprepared, Some(Step::Confirm)));
    world.roll(on_trial(new, 3600));
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step, ack.generation), (Outcome::Failed, Some(Step::Confirm), Generation::new(4)));
    world.settled().await;
    assert!(agent.is_quiet());
    world.assert_runs(old);
    assert_eq!(world.calls("reload"), calls);

    world.roll(confirmed(new));
    assert_eq!(agent.applied(5).await.bundle_bytes, 0);
    world.assert_runs(new.digest);
    assert_eq!((world.status().bad, world.downloads(new.digest)), (vec![], 1));
    agent.stop().await;
}

#[tokio::test]
async fn what_went_unconfirmed_comes_again_once_it_is_stable() {
    let mut world = World::new().await;
    let (mut agent, _, new) = world.before(NEW).await;
    world.roll(on_trial(new, 1));
    agent.applied(2).await;
    assert_eq!(agent.ack().await.step, Some(Step::Confirm));
    world.point(&app(), |pointer| pointer.stable = new);
    agent.applied(3).await;
    world.assert_runs(new.digest);
    agent.stop().await;
}

#[tokio::test]
async fn a_trial_ends_in_time_although_something_else_is_being_fetched() {
    let mut world = World::new().await;
    let (mut agent, old, new) = world.before(NEW).await;
    world.roll(on_trial(new, 2));
    agent.applied(2).await;
    let other = world.release(&app(), &[("limits.yaml", "rps: 30\n")]);
    let slow = world.bundle_path(other.digest);
    world.server.stall(&slow);
    world.point(&app(), |pointer| pointer.stable = other);
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step, ack.generation), (Outcome::Failed, Some(Step::Confirm), Generation::new(2)));
    world.assert_runs(old);
    world.server.change(|served| served.stalled.clear());
    agent.applied(3).await;
    world.assert_runs(other.digest);
    agent.stop().await;
}

impl World {
    fn run_program(&self) -> Child {
        Command::new(env!("CARGO_BIN_EXE_driftless-agent"))
            .args(["run", "--config"])
            .arg(self.write_config())
            .env("DRIFTLESS_LOG", "error")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the program was built for the test")
    }

    async fn acked(&self, generation: u64, outcome: Outcome) {
        let is_it = |ack: &schema::Ack| (ack.generation, ack.outcome) == (Generation::new(generation), outcome);
        let what = format!("generation {generation} {outcome}");
        self.server.until(&what, |served| served.acks.iter().any(is_it)).await;
    }

    async fn until_it_runs(&self, digest: Digest) {
        let looking = async {
            while self.app_folder().active().expect("our link") != Some(digest) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), looking).await.unwrap_or_else(|_| panic!("never: {digest}"));
    }
}

#[tokio::test]
async fn f01_a_host_that_was_killed_on_trial_and_reaches_nobody_goes_back_all_the_same() {
    let mut world = World::new().await;
    let old = world.publish(&[("limits.yaml", "rps: 10\n")]);
    let mut program = world.run_program();
    world.acked(1, Outcome::Applied).await;
    let new = world.release(&app(), NEW);
    world.roll(on_trial(new, 4));
    world.acked(2, Outcome::Applied).await;
    program.kill().await.expect("our own child");
    world.server.stop().await;
    // Whatever it does from here on, it does alone.
    let mut program = world.run_program();
    world.until_it_runs(old).await;
    world.assert_runs(old);
    world.server.start_again().await;
    world.acked(2, Outcome::Failed).await;
    world.settled().await;
    world.assert_runs(old);
    let log = fs::read_to_string(world.folder.path().join("reload.log")).expect("it ran");
    assert_eq!(log.lines().collect::<Vec<_>>(), ["1-1", "1-2", "1-2"]);
    program.kill().await.expect("our own child");
}
