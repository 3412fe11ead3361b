//! What opens a gate, and what never does.

use schema::rollout::{Budget, End, Prepare, Stage};
use schema::{Outcome, Timestamp};

use super::super::fixture::*;
use super::super::*;

/// One wave over everyone, nothing prepared.
fn at_once(agents: usize) -> World {
    let mut world = World::new(policy(vec![wave(&[], 100, 0)]), &[("eu", agents)]);
    world.rollout.policy.prepare = Prepare::No;
    world.settle();
    assert_eq!(world.wave(), Some(0));
    world
}

fn failed(world: &World) -> &str {
    let Stage::Ended(End::Failed { why }) = &world.rollout.stage else { panic!("{:?}", world.rollout.stage) };
    why
}

#[test]
fn outage_google_2016_a_verdict_that_is_lost_on_its_way_is_no_yes() {
    let mut world = at_once(9);
    world.pass(599);
    world.settle();
    assert_eq!(world.wave(), Some(0));
    world.pass(1);
    world.settle();
    assert!(failed(&world).contains("0 of 9 agents said yes, 6 must"), "{}", failed(&world));
}

#[test]
fn a_gate_without_agents_never_opens() {
    let mut world = at_once(0);
    world.settle();
    assert_eq!(world.wave(), Some(0));
    world.pass(600);
    world.settle();
    assert!(failed(&world).contains("no agent that is meant was heard of lately"));
}

#[test]
fn only_words_about_this_generation_and_this_bundle_count() {
    let mut world = at_once(9);
    let eu = region("eu");
    let pointer = world.pointers[&eu].clone();
    let agents = world.agents[&eu].clone();
    let old = schema::Pointer { generation: schema::Generation::new(41), ..pointer.clone() };
    let epoch = schema::Pointer { epoch: schema::Epoch::new(2), ..pointer.clone() };
    for (about, asked, outcome) in [
        (&old, target("new"), Outcome::Applied),
        (&epoch, target("new"), Outcome::Applied),
        (&pointer, target("old"), Outcome::Applied),
        (&pointer, target("new"), Outcome::Prepared),
        (&pointer, target("new"), Outcome::Refused),
        (&pointer, target("new"), Outcome::Stale),
    ] {
        let words = agents.iter().map(|agent| word(agent, about, asked.digest, outcome, world.now)).collect();
        world.reports.insert(eu.clone(), words);
        world.settle();
        assert_eq!(world.wave(), Some(0), "{outcome} of {} must not count", about.order());
    }
    world.everyone(|_, _| true);
    world.settle();
    assert!(world.is_stable("eu"));
}

#[test]
fn one_identity_counts_once() {
    let mut world = at_once(9);
    let eu = region("eu");
    let pointer = world.pointers[&eu].clone();
    let one = word(&world.agents[&eu][0], &pointer, target("new").digest, Outcome::Applied, world.now);
    world.reports.insert(eu, vec![one; 9]);
    world.settle();
    assert_eq!(world.wave(), Some(0));
}

#[test]
fn agents_that_vanish_do_not_make_the_others_many() {
    let mut world = at_once(9);
    let eu = region("eu");
    world.answer(&eu, |agent, _| agent.as_str().ends_with("1").then_some(true));
    // The other eight are never heard of again.
    world.reports.get_mut(&eu).expect("they were heard").retain(|report| report.agent.as_str().ends_with("1"));
    world.pass(100);
    world.settle();
    assert_eq!(world.wave(), Some(0), "one of nine is not all of one");
}

#[test]
fn an_agent_that_falls_silent_after_its_yes_takes_the_yes_with_it() {
    let mut world = World::new(policy(vec![wave(&[], 100, 120)]), &[("eu", 9)]);
    world.rollout.policy.prepare = Prepare::No;
    world.settle();
    world.everyone(|_, _| true);
    world.settle();
    // All crash a minute after the switch.
    world.now = world.now.after(std::time::Duration::from_secs(125));
    world.settle();
    assert_eq!(world.wave(), Some(0));
    assert!(matches!(world.rollout.regions[&region("eu")].place, schema::rollout::Place::Candidate { met: None, .. }));
}

#[test]
fn a_few_may_fail_and_the_rest_must_not_be_silent() {
    let mut world = at_once(100);
    // Three may fail, as a number; 97 have to say yes.
    world.answer(&region("eu"), |agent, _| match agent.as_str() {
        "eu-0000" | "eu-0001" | "eu-0002" => Some(false),
        "eu-0003" => None,
        _ => Some(true),
    });
    world.settle();
    assert_eq!(world.wave(), Some(0), "96 of 97");
    world.answer(&region("eu"), |agent, _| Some(agent.as_str() > "eu-0002"));
    world.settle();
    assert!(world.is_stable("eu"));
}

#[test]
fn one_more_failure_than_allowed_is_one_too_many() {
    let mut world = at_once(100);
    world.answer(&region("eu"), |agent, _| (agent.as_str() < "eu-0004").then_some(false));
    world.settle();
    assert!(failed(&world).contains("4 of 100 agents failed, 3 may"));
}

#[test]
fn no_third_of_a_tiny_group_is_ever_a_single_machine() {
    let budget = Budget { percent: percent(0), number: 3 };
    assert_eq!([1, 2, 3, 9, 100].map(|n| budget.allows(n)), [0, 0, 1, 3, 3]);
}

#[test]
fn outage_azure_2025_a_gate_that_holds_for_a_moment_is_not_enough() {
    let mut world = World::new(policy(vec![wave(&[], 20, 300), wave(&[], 100, 0)]), &[("eu", 10)]);
    world.rollout.policy.prepare = Prepare::No;
    world.settle();
    world.everyone(|_, _| true);
    let step = world.settle();
    assert_eq!(step.again_at, Some(at(300)));
    world.pass(299);
    world.settle();
    assert_eq!(world.wave(), Some(0));
    // Minutes after the switch those that run it break.
    world.everyone(|_, asked| *asked != target("new").digest);
    world.settle();
    assert!(matches!(world.rollout.stage, Stage::Ended(End::Failed { .. })));
}

#[test]
fn a_soak_begins_again_where_the_gate_no_longer_holds() {
    let mut world = World::new(policy(vec![wave(&[], 100, 100)]), &[("eu", 9)]);
    world.rollout.policy.prepare = Prepare::No;
    world.rollout.policy.gate.as_mut().expect("a gate").checks = vec!["errors".into()];
    world.settle();
    world.everyone(|_, _| true);
    let step = world.settle();
    assert!(step.ask.contains("errors"));
    world.checks.insert("errors".into(), CheckVerdict::Yes);
    world.settle();
    world.pass(60);
    world.checks.insert("errors".into(), CheckVerdict::No { why: "3% of requests fail".into() });
    let step = world.settle();
    assert!(step.waits_for.is_some_and(|why| why.contains("3% of requests fail")));
    world.pass(60);
    world.checks.insert("errors".into(), CheckVerdict::Yes);
    world.settle();
    assert!(!world.is_stable("eu"), "it held for 60 seconds, and for none since");
    world.pass(100);
    world.settle();
    assert!(world.is_stable("eu"));
}

#[test]
fn a_check_that_cannot_be_evaluated_is_a_no() {
    for verdict in [None, Some(CheckVerdict::Unknown { why: "no such metric".into() })] {
        let mut world = at_once(9);
        world.rollout.policy.gate.as_mut().expect("a gate").checks = vec!["errors".into()];
        world.everyone(|_, _| true);
        world.checks = verdict.clone().map(|verdict| ("errors".into(), verdict)).into_iter().collect();
        world.settle();
        assert_eq!(world.wave(), Some(0), "{verdict:?}");
        world.pass(1200);
        world.settle();
        assert!(failed(&world).contains("errors"));
    }
}

#[test]
fn a_new_generation_late_in_a_wave_fails_nobody_unless_it_lasts() {
    let mut world = at_once(9);
    world.answer(&region("eu"), |agent, _| (agent.as_str() < "eu-0005").then_some(true));
    world.pass(595);
    world.generation(&region("eu"), |_| {});
    world.everyone(|agent, _| agent.as_str() >= "eu-0008");
    world.reports.get_mut(&region("eu")).expect("words").retain(|report| report.outcome == Outcome::Applied);
    world.pass(10);
    world.settle();
    assert_eq!(world.wave(), Some(0), "they have the time of a gate again");
    world.pass(600);
    world.settle();
    assert!(world.rollout.is_over());
}

#[test]
fn a46_one_percent_of_liars_neither_advance_what_fails_nor_stop_what_is_good() {
    for is_good in [false, true] {
        let mut world = World::new(three_waves(), &[("eu", 1000)]);
        world.rollout.policy.prepare = Prepare::No;
        let is_liar = |agent: &schema::AgentId| agent.as_str().ends_with("77");
        let new = target("new").digest;
        let mut peak = 0;
        for _ in 0..6 {
            world.settle();
            peak = peak.max(world.on_candidate("eu"));
            world.everyone(|agent, asked| if is_liar(agent) { !is_good } else { is_good || *asked != new });
        }
        world.settle();
        assert_eq!(world.is_stable("eu"), is_good);
        assert!(is_good || peak <= 50, "{peak} agents on a bundle that fails everywhere");
    }
}

#[test]
fn the_numbers_that_people_see_are_those_that_the_gate_counts() {
    let mut world = at_once(9);
    world.answer(&region("eu"), |agent, _| match agent.as_str() {
        "eu-0000" => Some(false),
        "eu-0001" | "eu-0002" => None,
        _ => Some(true),
    });
    let status = status(&world.rollout, at(0), &world.seen(), world.now);
    let eu = &status.regions[0];
    assert_eq!((eu.live, eu.expected, eu.applied, eu.failed, eu.silent), (9, 9, 6, 1, 2));
    assert!(!status.blocked);
    let _: Timestamp = status.at;
}
