//! F01, F40: the real program, killed at each step, and started again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use edge_agent::journal::{Journal, Record};
use edge_agent::{Finding, STEPS};
use schema::{Generation, Outcome};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::patches::{Offer, archive};
use crate::world::World;

impl World {
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_driftless-agent"));
        command
            .args(["run", "--config"])
            .arg(self.write_config())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command.env("DRIFTLESS_LOG", "error");
        command
    }

    fn spawn(&self, kill_at: Option<&str>) -> Child {
        let mut command = self.command();
        match kill_at {
            Some(step) => command.env("DRIFTLESS_KILL_AT", step),
            None => command.env_remove("DRIFTLESS_KILL_AT"),
        };
        command.spawn().expect("the program was built for the test")
    }

    async fn run_until_settled(&self, generation: u64, outcome: Outcome) {
        // Otherwise the long-poll of a program that was killed would pass for this one's.
        self.server.until("nobody waits", |served| served.parked.is_empty()).await;
        let mut child = self.spawn(None);
        let what = format!("generation {generation} {outcome}");
        let told = |served: &crate::server::Served| {
            served.acks.iter().any(|ack| (ack.generation, ack.outcome) == (Generation::new(generation), outcome))
        };
        self.server.until(&what, told).await;
        self.settled().await;
        self.until_answered(&what).await;
        let pid = rustix::process::Pid::from_raw(child.id().expect("it runs") as i32).expect("not zero");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("our own child");
        let status = timeout(Duration::from_secs(60), child.wait()).await.expect("it ends").expect("our own child");
        assert_eq!(status.code(), Some(0), "a clean end");
    }

    /// The server has an ack before the agent knows that it has: a stop in between leaves it to be told again, as it should.
    async fn until_answered(&self, what: &str) {
        let journal = self.app_folder().journal();
        let answered =
            || Journal::read(&journal).expect("a sound journal").is_some_and(|state| state.unanswered.is_empty());
        let looking = async {
            while !answered() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(60), looking).await.unwrap_or_else(|_| panic!("never answered: {what}"));
    }

    /// Switches and results of each generation, as the journal has them. It is not long enough to be written anew.
    fn history(&self) -> BTreeMap<u64, (usize, Vec<Outcome>)> {
        let text = fs::read_to_string(self.app_folder().journal()).expect("a journal");
        let mut history: BTreeMap<u64, (usize, Vec<Outcome>)> = BTreeMap::new();
        for line in text.lines().skip(1) {
            let (_, json) = line.split_once(' ').expect("a checksum and a record");
            match serde_json::from_str(json).expect("a record") {
                Record::Applied(applied) => history.entry(applied.intent.order.generation.number()).or_default().0 += 1,
                Record::Outcome { ack } => history.entry(ack.generation.number()).or_default().1.push(ack.outcome),
                _ => {}
            }
        }
        history
    }

    fn assert_whole(&self, step: &str) {
        let proofs = edge_agent::verify(&self.config.state).expect("a state folder");
        assert!(proofs.iter().all(|proof| matches!(proof.finding, Finding::Proven { .. })), "{step}: {proofs:?}");
    }
}

async fn killed(mut child: Child, step: &str) {
    let ended = timeout(Duration::from_secs(60), child.wait()).await;
    let status = ended.unwrap_or_else(|_| panic!("never came to {step}")).expect("our own child");
    assert_eq!(status.signal(), Some(9), "{step}");
}

#[tokio::test]
async fn f01_killed_at_any_step_the_next_start_ends_where_an_undisturbed_run_would() {
    let mut world = World::new().await;
    world.publish(&[("limits.yaml", "rps: 0\n"), ("deep/same", "x")]);
    world.run_until_settled(1, Outcome::Applied).await;
    for (step, generation) in STEPS.iter().zip(2..) {
        let digest = world.publish(&[("limits.yaml", &format!("rps: {generation}\n")), ("deep/same", "x")]);
        killed(world.spawn(Some(step)), step).await;
        world.assert_whole(step);
        world.run_until_settled(generation, Outcome::Applied).await;
        world.assert_runs(digest);
        assert_eq!(world.history().get(&generation), Some(&(1, vec![Outcome::Applied])), "ONCE: {step}");
        let state = Journal::read(&world.app_folder().journal()).expect("a sound journal").expect("there is one");
        assert_eq!(state.seen.map(|seen| seen.order.generation), Some(Generation::new(generation)), "MONO: {step}");
        assert_eq!(state.unanswered, [], "{step}");
        assert_eq!(world.status().versions.len(), 2, "{step}");
        let calls = fs::read_to_string(world.folder.path().join("reload.log")).expect("it ran");
        assert!(calls.lines().any(|line| line == format!("1-{generation}")), "{step}: {calls}");
    }
}

#[tokio::test]
async fn f01_killed_on_the_way_back_the_next_start_goes_back_all_the_same() {
    let mut world = World::new().await;
    let good = world.publish(&[("limits.yaml", "rps: 10\n")]);
    world.run_until_settled(1, Outcome::Applied).await;
    for (step, generation) in ["apply-applied", "apply-reloaded", "apply-result"].iter().zip(2..) {
        world.publish(&[("limits.yaml", &format!("rps: -{generation}\n")), ("bad-probe", "")]);
        killed(world.spawn(Some(step)), step).await;
        world.assert_whole(step);
        world.run_until_settled(generation, Outcome::Failed).await;
        world.assert_runs(good);
        assert_eq!(world.history().get(&generation), Some(&(1, vec![Outcome::Failed])), "ONCE: {step}");
    }
}

#[tokio::test]
async fn f03_whichever_sync_fails_the_generation_comes_to_its_result_and_what_runs_is_whole() {
    let mut world = World::new().await;
    world.publish(&[("limits.yaml", "rps: 0\n"), ("deep/same", "x")]);
    world.run_until_settled(1, Outcome::Applied).await;
    let mut told = 0;
    for (good, generation) in (0..8).zip(2..) {
        let digest = world.publish(&[("limits.yaml", &format!("rps: {generation}\n")), ("deep/same", "x")]);
        world.server.until("nobody waits", |served| served.parked.is_empty()).await;
        let mut command = world.command();
        let mut child = command.env("DRIFTLESS_FAIL_SYNC", good.to_string()).spawn().expect("built for the test");
        let applied = |served: &crate::server::Served| {
            let of = |ack: &schema::Ack| (ack.attempted, ack.outcome) == (digest, Outcome::Applied);
            served.acks.iter().any(of)
        };
        let served = world.server.until("applied all the same", applied).await;
        told += served.acks.iter().filter(|ack| (ack.attempted, ack.outcome) == (digest, Outcome::Failed)).count();
        child.kill().await.expect("our own child");
        world.assert_runs(digest);
        assert_eq!(world.history().get(&generation).map(|(switches, _)| *switches), Some(1), "ONCE: {good}");
    }
    assert!(told > 0, "some of them failed on the way to the switch");
}

/// The base is on the disk whatever happens, so no start needs the whole bundle.
#[tokio::test]
async fn f01_killed_on_the_way_of_a_patch_the_next_start_goes_that_way_again() {
    let mut world = World::new().await;
    world.publish_patched("1", vec![]);
    world.run_until_settled(1, Outcome::Applied).await;
    for (step, generation) in STEPS[2..9].iter().zip(2..) {
        let [old, new] = [generation - 1, generation].map(|line: u64| archive(&line.to_string()));
        let digest = world.publish_patched(&generation.to_string(), vec![Offer::by_runs(&old, &new)]);
        killed(world.spawn(Some(step)), step).await;
        world.assert_whole(step);
        world.run_until_settled(generation, Outcome::Applied).await;
        world.assert_runs(digest);
        assert_eq!(world.server.asked(&world.bundle_path(digest)), 0, "{step}");
        assert_eq!(world.history().get(&generation), Some(&(1, vec![Outcome::Applied])), "ONCE: {step}");
    }
}
