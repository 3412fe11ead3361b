//! From the first agent to the last, and back.

use schema::rollout::{End, OnFailure, Place, Prepare, Stage};

use super::super::fixture::*;
use super::super::*;

#[test]
fn a_good_commit_is_prepared_goes_through_its_waves_and_is_stable() {
    let mut world = World::new(three_waves(), &[("eu", 40), ("us", 40)]);
    world.settle();
    assert!(matches!(world.rollout.stage, Stage::Preparing { everyone: false, .. }));
    assert_eq!(world.on_candidate("eu"), 0, "who prepares runs what is stable");
    world.everyone(|_, _| true);
    world.settle();
    assert!(matches!(world.rollout.stage, Stage::Preparing { everyone: true, .. }));
    let mut reach = Vec::new();
    for index in 0..3 {
        world.everyone(|_, _| true);
        world.settle();
        assert_eq!(world.wave(), Some(index));
        reach.push((world.on_candidate("eu"), world.on_candidate("us")));
    }
    assert!(reach[0].0 >= 1 && reach[0].0 <= 2 && reach[1].0 <= 10, "no more than 5% and 25% of 40: {reach:?}");
    assert_eq!(reach[2], (40, 40));
    world.everyone(|_, _| true);
    world.settle();
    assert_eq!(world.rollout.stage, Stage::Ended(End::Complete));
    assert!(world.is_stable("eu") && world.is_stable("us"));
    assert_eq!(world.pointers[&region("eu")].commit, commit("2"));
}

#[test]
fn what_fails_its_check_is_caught_while_nobody_runs_it() {
    let mut world = World::new(three_waves(), &[("eu", 100), ("us", 100)]);
    world.settle();
    let new = target("new").digest;
    for _ in 0..3 {
        // Every twentieth host has too little memory for it.
        world.everyone(|agent, asked| *asked != new || !agent.as_str().ends_with("5"));
        world.settle();
        assert_eq!(world.on_candidate("eu") + world.on_candidate("us"), 0);
    }
    let Stage::Ended(End::Failed { why }) = &world.rollout.stage else { panic!("{:?}", world.rollout.stage) };
    assert!(why.starts_with("preparing: 20 of 200 agents failed, 3 may"), "{why}");
    assert!(why.contains("(eu-0005 and 19 others: "), "who, not only how many: {why}");
    assert_eq!(world.pointers[&region("eu")].candidate, None);
    assert!(blocks(&world.rollout, &region("eu"), &new).is_some());
}

#[test]
fn what_fails_on_reload_reaches_the_first_wave_and_no_more() {
    let mut world = World::new(policy(vec![wave(&[], 10, 0), wave(&[], 100, 0)]), &[("eu", 60), ("us", 60)]);
    world.rollout.policy.prepare = Prepare::No;
    world.settle();
    let (eu, us) = (world.on_candidate("eu"), world.on_candidate("us"));
    assert!((1..=6).contains(&eu) && (1..=6).contains(&us));
    let new = target("new").digest;
    world.everyone(|_, asked| *asked != new);
    world.settle();
    assert!(matches!(world.rollout.stage, Stage::Ended(End::Failed { .. })), "{:?}", world.rollout.stage);
    assert_eq!((world.on_candidate("eu"), world.on_candidate("us")), (0, 0));
    let back = |name: &str| matches!(world.rollout.regions[&region(name)].place, Place::Back { .. });
    assert!(back("eu") && back("us"));
    assert_eq!(world.step(), Step::default(), "nothing is left to do");
}

#[test]
fn a_failed_gate_can_pause_instead() {
    let mut world = World::new(policy(vec![wave(&[], 100, 0)]), &[("eu", 9)]);
    (world.rollout.policy.prepare, world.rollout.policy.on_failure) = (Prepare::No, OnFailure::Pause);
    world.settle();
    world.everyone(|_, _| false);
    let step = world.settle();
    assert!(world.rollout.paused.is_some() && !world.rollout.is_over());
    assert!(step.waits_for.is_some_and(|why| why.starts_with("paused by publisher")));
    assert_eq!(world.on_candidate("eu"), 9, "all stays as it is");
}

#[test]
fn regions_one_after_the_other_are_stable_one_after_the_other() {
    let waves = vec![wave(&["eu"], 10, 0), wave(&["eu"], 100, 0), wave(&["us"], 10, 0), wave(&["us"], 100, 0)];
    let mut world = World::new(policy(waves), &[("eu", 20), ("us", 20)]);
    world.rollout.policy.prepare = Prepare::No;
    let mut reach = Vec::new();
    for _ in 0..4 {
        world.settle();
        reach.push((world.on_candidate("eu"), world.on_candidate("us"), world.is_stable("eu")));
        world.everyone(|_, _| true);
    }
    world.settle();
    assert_eq!(reach[1..], [(20, 0, false), (0, reach[2].1, true), (0, 20, true)]);
    assert!(world.is_stable("us"));
}

#[test]
fn a_region_that_fails_later_leaves_what_is_stable_elsewhere() {
    let mut world = World::new(policy(vec![wave(&["eu"], 100, 0), wave(&["us"], 100, 0)]), &[("eu", 9), ("us", 9)]);
    world.rollout.policy.prepare = Prepare::No;
    world.settle();
    world.everyone(|_, _| true);
    world.settle();
    assert!(world.is_stable("eu") && world.on_candidate("us") == 9);
    world.answer(&region("us"), |_, _| Some(false));
    world.settle();
    assert!(matches!(world.rollout.stage, Stage::Ended(End::Failed { .. })));
    assert!(world.is_stable("eu"));
    assert_eq!((world.on_candidate("us"), world.pointers[&region("us")].stable), (0, target("old")));
}

#[test]
fn a_wave_is_over_when_all_its_regions_passed() {
    let mut world = World::new(policy(vec![wave(&[], 50, 0), wave(&[], 100, 0)]), &[("eu", 9), ("us", 9)]);
    world.rollout.policy.prepare = Prepare::No;
    world.settle();
    world.answer(&region("eu"), |_, _| Some(true));
    world.settle();
    assert_eq!(world.wave(), Some(0));
    world.answer(&region("us"), |_, _| Some(true));
    world.settle();
    assert_eq!(world.wave(), Some(1));
    // In the last wave each region is stable as soon as it is through.
    world.answer(&region("eu"), |_, _| Some(true));
    world.settle();
    assert!(world.is_stable("eu") && !world.is_stable("us") && !world.rollout.is_over());
    world.answer(&region("us"), |_, _| Some(true));
    world.settle();
    assert_eq!(world.rollout.stage, Stage::Ended(End::Complete));
}

#[test]
fn later_waves_contain_earlier_ones_whatever_their_labels() {
    let mut waves = vec![wave(&[], 100, 0), wave(&[], 10, 0), wave(&[], 100, 0)];
    waves[0].when.labels = [("canary".parse().unwrap(), "yes".parse().unwrap())].into();
    let mut world = World::new(policy(waves), &[("eu", 40)]);
    world.rollout.policy.prepare = Prepare::No;
    world.rollout.policy.confirm_within = Some(seconds(60));
    for report in world.reports.values_mut().flatten().filter(|report| report.agent.as_str() >= "eu-0038") {
        report.labels = [("canary".parse().unwrap(), "yes".parse().unwrap())].into();
    }
    world.settle();
    let first = world.pointers[&region("eu")].clone();
    world.rollout.stage = Stage::Wave { index: 1, since: at(0) };
    let second = wanted(&world.rollout, &region("eu")).and_then(|wanted| wanted.candidate).expect("a candidate");
    assert_eq!(second.also.len(), 1);
    assert!(second.also[0].confirmed && !second.slice.confirmed, "the gate of the first wave passed");
    let canaries: Vec<_> = world.reports[&region("eu")].iter().filter(|it| !it.labels.is_empty()).collect();
    assert_eq!(canaries.len(), 2);
    assert!(canaries.iter().all(|it| second.selects(it.member())));
    assert!(canaries.iter().all(|it| first.candidate.as_ref().is_some_and(|first| first.selects(it.member()))));
}

#[test]
fn a_policy_that_forgets_a_region_ends_before_it_begins() {
    let mut world = World::new(policy(vec![wave(&["eu"], 100, 0)]), &[("eu", 3), ("us", 3)]);
    world.settle();
    let Stage::Ended(End::Failed { why }) = &world.rollout.stage else { panic!("{:?}", world.rollout.stage) };
    assert!(why.contains("us"), "{why}");
}

#[test]
fn a_crash_between_record_and_pointer_is_made_good() {
    let mut world = World::new(three_waves(), &[("eu", 20), ("us", 20)]);
    world.rollout.policy.prepare = Prepare::No;
    let first = world.step();
    world.rollout = first.state.expect("it begins");
    // One region is pointed, then the publisher dies. The agents of both answer what they see.
    world.point(&region("eu"));
    world.everyone(|_, _| true);
    let after = world.step();
    assert_eq!((after.state, after.point), (None, vec![region("us")]), "no gate counts before all is pointed");
    world.point(&region("us"));
    assert!(world.step().state.is_none(), "us has not answered its pointer yet");
    world.everyone(|_, _| true);
    world.settle();
    assert_eq!(world.wave(), Some(1));
}

#[test]
fn a_newer_commit_takes_everyone_back_first() {
    let mut world = World::new(three_waves(), &[("eu", 20), ("us", 20)]);
    world.rollout.policy.prepare = Prepare::No;
    world.settle();
    world.rollout = supersede(&world.rollout, &commit("3"), world.now);
    world.settle();
    assert_eq!((world.on_candidate("eu"), world.on_candidate("us")), (0, 0));
    assert_eq!(blocks(&world.rollout, &region("eu"), &target("new").digest), None);
}

#[test]
fn a_block_is_lifted_by_what_comes_after() {
    let mut world = World::new(policy(vec![wave(&[], 100, 0)]), &[("eu", 9)]);
    world.settle();
    world.everyone(|_, _| false);
    world.settle();
    assert!(blocks(&world.rollout, &region("eu"), &target("new").digest).is_some());
    assert_eq!(blocks(&world.rollout, &region("eu"), &target("newer").digest), None);
    world.rollout = supersede(&world.rollout, &commit("3"), world.now);
    assert_eq!(blocks(&world.rollout, &region("eu"), &target("new").digest), None);
    assert_eq!(world.step(), Step::default());
}
