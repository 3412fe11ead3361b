//! Who is left out, who comes back, and when too many are out.

use schema::rollout::{End, Prepare, QuarantineRule, Stage};
use schema::{AgentReport, Outcome, Pointer};

use super::super::fixture::*;
use super::super::*;

fn rule() -> QuarantineRule {
    policy(vec![wave(&[], 100, 0)]).quarantine
}

fn says(pointer: &Pointer, asked: &str, outcome: Outcome, failures: u32) -> AgentReport {
    let agent = "web-1".parse().expect("an agent");
    AgentReport { failures, ..word(&agent, pointer, target(asked).digest, outcome, at(0)) }
}

#[test]
fn who_fails_three_times_in_a_row_is_left_out() {
    let pointer = pointer(&region("eu"));
    let change = |failures| {
        let report =
            AgentReport { reason: Some("disk full".into()), ..says(&pointer, "old", Outcome::Failed, failures) };
        quarantine(&pointer, &[report], &rule(), at(0))
    };
    assert!(change(2).is_empty());
    assert_eq!(change(3).add.len(), 1);
    assert_eq!(&*change(3).add[0].1, "failed 3 generations in a row: disk full");
    let never = QuarantineRule { after: 0, ..rule() };
    assert!(quarantine(&pointer, &[says(&pointer, "old", Outcome::Failed, 9)], &never, at(0)).is_empty());
}

#[test]
fn an_old_word_puts_nobody_in() {
    let old = pointer(&region("eu"));
    let new = Pointer { generation: schema::Generation::new(42), ..old.clone() };
    assert!(quarantine(&new, &[says(&old, "old", Outcome::Failed, 5)], &rule(), at(0)).is_empty());
}

#[test]
fn a_good_check_lets_out_who_failed_and_nobody_who_was_put_in_by_hand() {
    let inside = Pointer { quarantine: vec!["web-1".parse().expect("an agent")], ..pointer(&region("eu")) };
    let release = |outcome, asked, failures| {
        quarantine(&inside, &[says(&inside, asked, outcome, failures)], &rule(), at(0)).release.len()
    };
    assert_eq!(release(Outcome::Prepared, "old", 3), 1);
    assert_eq!(release(Outcome::Unprepared, "old", 4), 0);
    assert_eq!(release(Outcome::Prepared, "new", 3), 0);
    assert_eq!(release(Outcome::Prepared, "old", 0), 0, "by hand, not for failing");
}

#[test]
fn who_comes_back_and_fails_again_stays_longer() {
    let inside =
        Pointer { quarantine: vec!["web-1".parse().expect("an agent")], issued: at(0), ..pointer(&region("eu")) };
    let is_out = |failures, now| {
        !quarantine(&inside, &[says(&inside, "old", Outcome::Prepared, failures)], &rule(), at(now)).release.is_empty()
    };
    assert!(!is_out(3, 0) && is_out(3, 1) && !is_out(7, 15) && is_out(7, 16));
    assert!(is_out(1000, 3600), "an hour at most");
}

#[test]
fn who_is_left_out_counts_nowhere() {
    let mut world = World::new(policy(vec![wave(&[], 100, 0)]), &[("eu", 30)]);
    world.rollout.policy.prepare = Prepare::No;
    world.generation(&region("eu"), |pointer| pointer.quarantine.push("eu-0001".parse().expect("an agent")));
    world.settle();
    assert_eq!(world.rollout.regions[&region("eu")].fleet, 29);
    let status = status(&world.rollout, at(0), &world.seen(), world.now);
    assert_eq!((status.regions[0].live, status.regions[0].quarantined), (29, 1));
}

#[test]
fn too_many_in_quarantine_hold_what_waits_and_stop_what_runs() {
    let crowd = |pointer: &mut Pointer| {
        pointer.quarantine = (0..3).map(|n| format!("eu-000{n}").parse().expect("an agent")).collect();
    };
    let mut world = World::new(policy(vec![wave(&[], 100, 0)]), &[("eu", 30)]);
    world.generation(&region("eu"), crowd);
    let step = world.settle();
    assert_eq!(step.waits_for.as_deref(), Some("3 of 30 agents in eu are in quarantine, 2 may be"));
    let mut world = World::new(policy(vec![wave(&[], 100, 0)]), &[("eu", 30)]);
    world.settle();
    world.generation(&region("eu"), crowd);
    world.settle();
    assert!(matches!(world.rollout.stage, Stage::Ended(End::Failed { .. })));
}

#[test]
fn who_has_just_begun_to_listen_stops_nothing_because_of_quarantine() {
    let mut world = World::new(policy(vec![wave(&[], 100, 0)]), &[("eu", 30)]);
    world.settle();
    world.generation(&region("eu"), |pointer| {
        pointer.quarantine = (0..3).map(|n| format!("eu-000{n}").parse().expect("an agent")).collect();
    });
    world.listening_since = Some(world.now);
    world.reports.clear();
    world.settle();
    assert!(!world.rollout.is_over(), "{:?}", world.rollout.stage);
    world.listening_since = Some(at(-86_400));
    world.settle();
    assert!(matches!(world.rollout.stage, Stage::Ended(End::Failed { .. })), "it has listened for long");
}
