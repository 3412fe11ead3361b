//! A candidate on its way: who takes it, who gets it ready, and who goes back.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use edge_agent::journal::Held;
use edge_agent::{Config, Role};
use schema::ack::Step;
use schema::name::Label;
use schema::pointer::{Candidate, FULL_SHARE, Phase, Slice, Target, slot};
use schema::{AgentId, Digest, Generation, Outcome};

use crate::world::{Agent, World, app, now};

const OLD: &[(&str, &str)] = &[("limits.yaml", "rps: 10\n")];
const NEW: &[(&str, &str)] = &[("limits.yaml", "rps: 20\n")];
const BAD: &[(&str, &str)] = &[("limits.yaml", "rps: -1\n"), ("bad", "")];

const SALT: &str = "salt";

/// A candidate for everybody.
pub(crate) fn candidate(target: Target, phase: Phase) -> Candidate {
    let slice = Slice { share: FULL_SHARE, when: Default::default(), not_before: None, confirmed: false };
    Candidate { target, phase, slice, salt: SALT.into(), spread_s: 0, confirm_within_s: 0, also: Vec::new() }
}

impl World {
    /// An agent that runs `OLD` as generation 1, and what is to be rolled out to it.
    pub(crate) async fn before(&mut self, new: &[(&str, &str)]) -> (Agent, Digest, Target) {
        let old = self.publish(OLD);
        let mut agent = self.start();
        agent.applied(1).await;
        let target = self.release(&app(), new);
        (agent, old, target)
    }

    /// Points to a candidate, with what was stable before.
    pub(crate) fn roll(&mut self, candidate: Candidate) {
        self.point(&app(), |pointer| pointer.candidate = Some(candidate));
    }

    /// The configuration of another agent of this world.
    fn another(&self, id: AgentId) -> Config {
        Config { state: self.folder.path().join(id.as_str()), id, ..self.config.clone() }
    }

    pub(crate) fn downloads(&self, digest: Digest) -> usize {
        self.server.asked(&self.bundle_path(digest))
    }
}

/// Two agents of which the first has the lower slot.
fn two_agents() -> [AgentId; 2] {
    let mut names = ["web-0173", "web-0174"].map(|name| name.parse::<AgentId>().expect("a name"));
    names.sort_by_key(|name| slot(SALT, name));
    assert_ne!(slot(SALT, &names[0]), slot(SALT, &names[1]));
    names
}

#[tokio::test]
async fn a_candidate_is_taken_by_its_share_and_by_everybody_else_when_that_grows() {
    let mut world = World::new().await;
    let names = two_agents();
    let old = world.publish(OLD);
    let mut agents = names.clone().map(|name| Agent::start(world.another(name)));
    for agent in &mut agents {
        agent.applied(1).await;
    }
    let new = world.release(&app(), NEW);
    let share = |share| {
        let mut candidate = candidate(new, Phase::Activate);
        candidate.slice.share = share;
        candidate
    };
    world.roll(share(slot(SALT, &names[0]) + 1));
    let [inside, outside] = &mut agents;
    assert_eq!(inside.applied(2).await.attempted, new.digest);
    // Whoever is not meant says so: it runs what is stable.
    let ack = outside.applied(2).await;
    assert_eq!((ack.attempted, ack.active.map(|active| active.digest)), (old, Some(old)));
    assert_eq!(world.downloads(new.digest), 1);
    world.roll(share(FULL_SHARE));
    assert_eq!(inside.applied(3).await.attempted, new.digest);
    assert_eq!(outside.applied(3).await.attempted, new.digest);
    for agent in agents {
        agent.stop().await;
    }
}

#[tokio::test]
async fn labels_choose_agents_and_are_told_in_every_ack() {
    let mut world = World::new().await;
    let label = |text: &str| text.parse::<Label>().expect("a label");
    let canary = BTreeMap::from([(label("tier"), label("canary"))]);
    world.config.labels = canary.clone();
    let (mut agent, _, new) = world.before(NEW).await;
    let plain = Config { labels: BTreeMap::new(), ..world.another("web-0200".parse().expect("a name")) };
    let mut plain = Agent::start(plain);
    assert_eq!(plain.applied(1).await.labels, BTreeMap::new());
    let mut chosen = candidate(new, Phase::Activate);
    chosen.slice.when.labels = canary.clone();
    world.roll(chosen);
    let ack = agent.applied(2).await;
    assert_eq!((ack.attempted, ack.labels), (new.digest, canary));
    assert_ne!(plain.applied(2).await.attempted, new.digest);
    assert_eq!(world.status().role, Some(Role::Candidate));
    agent.stop().await;
    plain.stop().await;
}

#[tokio::test]
async fn what_is_prepared_is_fetched_and_checked_and_switched_to_without_a_download_later() {
    let mut world = World::new().await;
    world.phase_hook("check");
    world.phase_hook("reload");
    let (mut agent, old, new) = world.before(NEW).await;
    world.roll(candidate(new, Phase::Prepare));
    assert_eq!(agent.applied(2).await.attempted, old);
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.generation, ack.attempted), (Outcome::Prepared, Generation::new(2), new.digest));
    assert_eq!((ack.active.map(|active| active.digest), ack.step), (Some(old), None));
    assert_eq!(ack.bundle_bytes, world.server.object(&world.bundle_path(new.digest)).len() as u64);
    world.assert_runs(old);
    let status = world.status();
    assert_eq!((status.prepared, status.role), (Some(new.digest), Some(Role::Stable)));
    // It stays ready through a restart, and is not got ready again.
    agent.stop().await;
    let mut agent = world.start();
    world.settled().await;
    assert!(agent.is_quiet());
    assert_eq!(world.status().prepared, Some(new.digest));
    world.roll(candidate(new, Phase::Activate));
    let ack = agent.applied(3).await;
    assert_eq!((ack.attempted, ack.bundle_bytes, world.downloads(new.digest)), (new.digest, 0, 1));
    world.assert_runs(new.digest);
    assert_eq!(world.calls("check"), ["activate 1-1", "prepare 1-2", "activate 1-3"]);
    assert_eq!(world.calls("reload"), ["activate 1-1", "activate 1-3"]);
    agent.stop().await;
}

#[tokio::test]
async fn f39_a_check_that_fails_while_preparing_is_told_once_for_each_generation() {
    let mut world = World::new().await;
    world.phase_hook("check");
    let (mut agent, old, bad) = world.before(BAD).await;
    for generation in [2, 3] {
        world.roll(candidate(bad, Phase::Prepare));
        assert_eq!(agent.applied(generation).await.attempted, old);
        let ack = agent.ack().await;
        assert_eq!((ack.outcome, ack.step, ack.attempted), (Outcome::Unprepared, Some(Step::Check), bad.digest));
        assert_eq!((ack.reason.as_deref(), ack.failures), (Some("check: exit code 1"), 0));
        world.resign(|pointer| pointer.candidate = Some(candidate(bad, Phase::Prepare)));
        world.settled().await;
        agent.stop().await;
        agent = world.start();
        world.settled().await;
        assert!(agent.is_quiet());
    }
    assert_eq!(world.calls("check"), ["activate 1-1", "prepare 1-2", "prepare 1-3"]);
    assert_eq!((world.downloads(bad.digest), world.status().prepared), (1, None));
    world.assert_runs(old);
    agent.stop().await;
}

#[tokio::test]
async fn what_cannot_be_fetched_is_unprepared_until_it_can() {
    let mut world = World::new().await;
    let (mut agent, old, new) = world.before(NEW).await;
    let path = world.bundle_path(new.digest);
    let object = world.server.object(&path);
    world.server.change(|served| drop(served.objects.remove(&path)));
    world.roll(candidate(new, Phase::Prepare));
    agent.applied(2).await;
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step, ack.attempted), (Outcome::Unprepared, Some(Step::Fetch), new.digest));
    world.server.change(|served| drop(served.objects.insert(path, object)));
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.generation), (Outcome::Prepared, Generation::new(2)));
    world.assert_runs(old);
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_that_is_behind_runs_what_is_stable_before_it_prepares() {
    let mut world = World::new().await;
    world.publish(OLD);
    let stable = world.release(&app(), &[("limits.yaml", "rps: 15\n")]);
    let new = world.release(&app(), NEW);
    world.point(&app(), |pointer| {
        (pointer.stable, pointer.candidate) = (stable, Some(candidate(new, Phase::Prepare)));
    });
    let mut agent = world.start();
    assert_eq!(agent.applied(2).await.attempted, stable.digest);
    assert_eq!(agent.ack().await.outcome, Outcome::Prepared);
    world.assert_runs(stable.digest);
    agent.stop().await;
}

#[tokio::test]
async fn what_no_pointer_names_any_more_makes_room() {
    let mut world = World::new().await;
    let (mut agent, old, new) = world.before(NEW).await;
    world.roll(candidate(new, Phase::Prepare));
    agent.applied(2).await;
    agent.ack().await;
    world.point(&app(), |_| ());
    agent.applied(3).await;
    world.settled().await;
    assert_eq!(world.status().versions, [old]);
    agent.stop().await;
}

#[tokio::test]
async fn f33_a_rollout_that_is_taken_back_moves_no_bundle_byte() {
    let mut world = World::new().await;
    let (mut agent, old, new) = world.before(NEW).await;
    world.roll(candidate(new, Phase::Activate));
    agent.applied(2).await;
    world.assert_runs(new.digest);
    let before = world.downloads(old);
    world.point(&app(), |_| ());
    let ack = agent.applied(3).await;
    assert_eq!((ack.attempted, ack.bundle_bytes, world.downloads(old)), (old, 0, before));
    world.assert_runs(old);
    agent.stop().await;
}

#[tokio::test]
async fn what_a_reload_refused_before_is_foreseen_to_fail() {
    let mut world = World::new().await;
    world.phase_hook("reload");
    let (mut agent, old, bad) = world.before(BAD).await;
    world.roll(candidate(bad, Phase::Activate));
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step, ack.failures), (Outcome::Failed, Some(Step::Reload), 1));
    world.roll(candidate(bad, Phase::Prepare));
    assert_eq!(agent.applied(3).await.failures, 0);
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step, ack.attempted), (Outcome::Unprepared, Some(Step::Reload), bad.digest));
    assert_eq!(ack.reason.as_deref(), Some("reload: reload refused it here before"));
    world.assert_runs(old);
    agent.stop().await;
}

#[tokio::test]
async fn generations_that_fail_in_a_row_are_counted_through_restarts() {
    let mut world = World::new().await;
    world.phase_hook("check");
    let (mut agent, _, bad) = world.before(BAD).await;
    for (generation, failures) in [(2, 1), (3, 2), (4, 3)] {
        world.roll(candidate(bad, Phase::Activate));
        let ack = agent.ack().await;
        assert_eq!((ack.generation, ack.outcome), (Generation::new(generation), Outcome::Failed));
        assert_eq!(ack.failures, failures);
        agent.stop().await;
        agent = world.start();
    }
    assert_eq!(world.status().failures, 3);
    world.publish(NEW);
    assert_eq!(agent.applied(5).await.failures, 0);
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_waits_for_its_turn_and_keeps_it_through_a_restart() {
    let mut world = World::new().await;
    let (mut agent, old, new) = world.before(NEW).await;
    let due = now().after(Duration::from_secs(2));
    let mut spread = candidate(new, Phase::Activate);
    (spread.slice.not_before, spread.spread_s) = (Some(due), 2);
    world.roll(spread);
    assert_eq!(agent.applied(2).await.attempted, old);
    agent.stop().await;
    let mut agent = world.start();
    let ack = agent.applied(2).await;
    assert_eq!(ack.attempted, new.digest);
    assert!(ack.at >= due, "{} is before {due}", ack.at);
    world.assert_runs(new.digest);
    agent.stop().await;
}

#[tokio::test]
async fn who_is_in_quarantine_shows_that_it_could_and_stays() {
    let mut world = World::new().await;
    world.phase_hook("check");
    let (mut agent, old, new) = world.before(NEW).await;
    let id = world.config.id.clone();
    world.point(&app(), |pointer| (pointer.stable, pointer.quarantine) = (new, vec![id.clone()]));
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.generation, ack.attempted), (Outcome::Prepared, Generation::new(2), new.digest));
    world.assert_runs(old);
    let status = world.status();
    assert_eq!(
        (status.held, status.prepared, status.role),
        (Some(Held::Quarantined), Some(new.digest), Some(Role::Older))
    );
    // What it runs already is checked as well.
    let stable = world.release(&app(), OLD);
    world.point(&app(), |pointer| (pointer.stable, pointer.quarantine) = (stable, vec![id]));
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.generation, ack.attempted), (Outcome::Prepared, Generation::new(3), old));
    assert_eq!(world.calls("check"), ["activate 1-1", "prepare 1-2", "prepare 1-3"]);
    world.point(&app(), |_| ());
    agent.applied(4).await;
    assert_eq!(world.status().held, None);
    agent.stop().await;
}

#[tokio::test]
async fn who_is_in_quarantine_shows_that_it_could_as_soon_as_it_is_mended() {
    let mut world = World::new().await;
    let check = world.script("check", "! test -e \"$(dirname \"$0\")/broken\"");
    world.hook("check", &check);
    let (mut agent, old, new) = world.before(NEW).await;
    let broken = world.folder.path().join("broken");
    fs::write(&broken, "").expect("a small file");
    let id = world.config.id.clone();
    world.point(&app(), |pointer| (pointer.stable, pointer.quarantine) = (new, vec![id]));
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step), (Outcome::Unprepared, Some(Step::Check)));
    fs::remove_file(&broken).expect("our own file");
    // Nobody points anywhere else meanwhile.
    loop {
        let ack = agent.ack().await;
        assert_eq!((ack.generation, ack.attempted), (Generation::new(2), new.digest));
        if ack.outcome == Outcome::Prepared {
            break;
        }
    }
    world.assert_runs(old);
    agent.stop().await;
}

#[tokio::test]
async fn a_freeze_holds_a_candidate_back() {
    let mut world = World::new().await;
    let (mut agent, old, new) = world.before(NEW).await;
    let all = candidate(new, Phase::Activate);
    world.point(&app(), |pointer| (pointer.candidate, pointer.freeze) = (Some(all.clone()), true));
    world.settled().await;
    assert!(agent.is_quiet());
    world.assert_runs(old);
    assert_eq!(world.status().held, Some(Held::Frozen));
    world.roll(all);
    assert_eq!(agent.applied(3).await.attempted, new.digest);
    agent.stop().await;
}

#[tokio::test]
async fn a_timed_plan_is_followed_where_there_is_nobody_but_a_file_server() {
    let mut world = World::new().await;
    world.server.change(|served| served.plain = true);
    let names = two_agents();
    let old = world.publish(OLD);
    let mut agents = names.clone().map(|name| Agent::start(world.another(name)));
    for agent in &mut agents {
        agent.applied(1).await;
    }
    let new = world.release(&app(), NEW);
    let mut plan = candidate(new, Phase::Activate);
    let first = now().after(Duration::from_millis(1500));
    plan.slice = Slice { share: slot(SALT, &names[0]) + 1, not_before: Some(first), ..plan.slice };
    let then = first.after(Duration::from_millis(1500));
    plan.also = vec![Slice { share: FULL_SHARE, not_before: Some(then), ..plan.slice.clone() }];
    world.roll(plan);
    // The last pointer there is, and nobody hears an ack.
    for (agent, due) in agents.iter_mut().zip([first, then]) {
        assert_eq!(agent.applied(2).await.attempted, old);
        let ack = agent.applied(2).await;
        assert_eq!(ack.attempted, new.digest);
        assert!(ack.at >= due, "{} is before {due}", ack.at);
    }
    assert_eq!(world.server.served().posted, []);
    for agent in agents {
        agent.stop().await;
    }
}

#[tokio::test]
async fn a_download_for_later_holds_up_nothing_that_is_to_run_now() {
    let mut world = World::new().await;
    let (mut agent, _, new) = world.before(NEW).await;
    let slow = world.bundle_path(new.digest);
    world.server.stall(&slow);
    world.roll(candidate(new, Phase::Prepare));
    agent.applied(2).await;
    world.server.until_asked_again(&slow, 1).await;
    let urgent = world.release(&app(), &[("limits.yaml", "rps: 5\n")]);
    world.point(&app(), |pointer| {
        (pointer.stable, pointer.candidate) = (urgent, Some(candidate(new, Phase::Prepare)));
    });
    assert_eq!(agent.applied(3).await.attempted, urgent.digest);
    world.server.change(|served| served.stalled.clear());
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.generation), (Outcome::Prepared, Generation::new(3)));
    agent.stop().await;
}
