//! What follows when a hook says no.

use std::fs;
use std::path::Path;
use std::time::Duration;

use edge_agent::Hook;
use schema::ack::{Active, Step};
use schema::time::Length;
use schema::{Digest, Epoch, Generation, Outcome};

use crate::world::{Agent, World, app};

impl World {
    /// Makes `program` the hook of that name.
    pub(crate) fn hook(&mut self, name: &str, program: &Path) {
        let words = vec![program.display().to_string()];
        let hook = Hook { run: words.try_into().expect("a program"), timeout: Length(Duration::from_secs(30)) };
        let hooks = self.config.apps.get_mut(&app()).expect("configured");
        match name {
            "check" => hooks.check = Some(hook),
            "reload" => hooks.reload = Some(hook),
            _ => hooks.probe = Some(hook),
        }
    }

    /// Makes a hook of that name that writes down how it was called, and fails where the tree holds a file `bad`.
    pub(crate) fn writing_hook(&mut self, name: &str) {
        let body = "echo \"$DRIFTLESS_GENERATION $DRIFTLESS_DIGEST\" >> \"$0.log\"; ! test -e bad";
        let script = self.script(name, body);
        self.hook(name, &script);
    }

    /// Makes a hook of that name that writes down what it was called for, and fails where the tree holds a file `bad`.
    pub(crate) fn phase_hook(&mut self, name: &str) {
        let script = self.script(name, "echo \"$DRIFTLESS_PHASE $DRIFTLESS_GENERATION\" >> \"$0.log\"; ! test -e bad");
        self.hook(name, &script);
    }

    /// How the hook of that name was called.
    pub(crate) fn calls(&self, name: &str) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

const GOOD: &[(&str, &str)] = &[("limits.yaml", "rps: 10\n")];
const BAD: &[(&str, &str)] = &[("limits.yaml", "rps: -1\n"), ("bad", "")];

async fn good_then_bad(world: &mut World) -> (Agent, Digest, Digest) {
    let good = world.publish(GOOD);
    let mut agent = world.start();
    agent.applied(1).await;
    (agent, good, world.publish(BAD))
}

fn first_generation(digest: Digest) -> Option<Active> {
    Some(Active { digest, epoch: Epoch::FIRST, generation: Generation::FIRST })
}

#[tokio::test]
async fn f39_a_failing_check_never_switches() {
    let mut world = World::new().await;
    world.writing_hook("check");
    world.writing_hook("reload");
    let (mut agent, good, bad) = good_then_bad(&mut world).await;
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step, ack.attempted), (Outcome::Failed, Some(Step::Check), bad));
    assert_eq!((ack.active, ack.previous), (first_generation(good), Some(good)));
    assert_eq!(ack.reason.as_deref(), Some("check: exit code 1"));
    world.assert_runs(good);
    assert_eq!(world.calls("reload"), [format!("1-1 {good}")]);
    assert_eq!(world.calls("check"), [format!("1-1 {good}"), format!("1-2 {bad}")]);
    agent.stop().await;
}

#[tokio::test]
async fn f39_a_failing_reload_switches_back_and_lets_the_service_take_up_what_ran_before() {
    let mut world = World::new().await;
    world.writing_hook("reload");
    let (mut agent, good, bad) = good_then_bad(&mut world).await;
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step, ack.active), (Outcome::Failed, Some(Step::Reload), first_generation(good)));
    world.assert_runs(good);
    assert_eq!(world.calls("reload"), [format!("1-1 {good}"), format!("1-2 {bad}"), format!("1-2 {good}")]);
    assert_eq!(world.status().bad, [bad]);
    agent.stop().await;
}

#[tokio::test]
async fn f39_a_failing_probe_switches_back_and_is_not_tried_again_before_a_newer_generation() {
    let mut world = World::new().await;
    world.writing_hook("probe");
    let (mut agent, good, bad) = good_then_bad(&mut world).await;
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step, ack.active), (Outcome::Failed, Some(Step::Probe), first_generation(good)));
    world.resign(|_| ());
    world.settled().await;
    agent.stop().await;
    let mut agent = world.start();
    world.settled().await;
    assert!(agent.is_quiet());
    assert_eq!(world.calls("probe").len(), 2);
    world.point(&app(), |_| ());
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.generation, ack.bundle_bytes), (Outcome::Failed, Generation::new(3), 0));
    assert_eq!(world.calls("probe")[2], format!("1-3 {bad}"));
    world.assert_runs(good);
    world.publish(GOOD);
    agent.applied(4).await;
    agent.stop().await;
}

#[tokio::test]
async fn f39_a_first_bundle_that_fails_stays_because_there_is_nothing_to_go_back_to() {
    let mut world = World::new().await;
    world.writing_hook("reload");
    let bad = world.publish(BAD);
    let mut agent = world.start();
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step, ack.active), (Outcome::Failed, Some(Step::Reload), first_generation(bad)));
    world.assert_runs(bad);
    // It runs already, and still is not taken for one that works.
    world.point(&app(), |_| ());
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step, ack.bundle_bytes), (Outcome::Failed, Some(Step::Reload), 0));
    assert_eq!(world.calls("reload"), [format!("1-1 {bad}"), format!("1-2 {bad}"), format!("1-2 {bad}")]);
    let good = world.publish(GOOD);
    assert_eq!(agent.applied(3).await.previous, Some(bad));
    world.assert_runs(good);
    agent.stop().await;
}

#[tokio::test]
async fn hooks_are_told_of_a_folder_that_they_find_from_where_they_run() {
    let mut world = World::new().await;
    let here = std::env::current_dir().expect("a working directory");
    let up: std::path::PathBuf = here.components().skip(1).map(|_| "..").collect();
    world.config.state = up.join(world.config.state.strip_prefix("/").expect("absolute"));
    let check = world.script("check", "test -e \"$DRIFTLESS_DIR/limits.yaml\"");
    world.hook("check", &check);
    world.publish(GOOD);
    let mut agent = world.start();
    agent.applied(1).await;
    agent.stop().await;
}

#[tokio::test]
async fn f39_a_hanging_hook_counts_as_a_failing_one() {
    let mut world = World::new().await;
    let hang = world.script("hang", "test -e bad && sleep 1000; true");
    world.hook("probe", &hang);
    let hooks = world.config.apps.get_mut(&app()).expect("configured");
    hooks.probe.as_mut().expect("just set").timeout = Length(Duration::from_secs(3));
    let (mut agent, good, _) = good_then_bad(&mut world).await;
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step), (Outcome::Failed, Some(Step::Probe)));
    assert_eq!(ack.reason.as_deref(), Some("probe: not done after 3s, killed with all it started"));
    world.assert_runs(good);
    agent.stop().await;
}
