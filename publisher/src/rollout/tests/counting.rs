//! Who is counted, and when: before a rollout begins, after a publisher came back, after a generation in between.

use schema::rollout::{Prepare, Stage};

use super::super::fixture::*;

#[test]
fn a_publisher_that_just_came_back_fails_nobody_for_silence() {
    let mut world = World::new(policy(vec![wave(&[], 100, 100)]), &[("eu", 9)]);
    world.rollout.policy.prepare = Prepare::No;
    world.settle();
    world.everyone(|_, _| true);
    world.settle();
    world.pass(5_000);
    let known = std::mem::take(&mut world.reports);
    world.listening_since = Some(world.now);
    let step = world.settle();
    assert_eq!(step.again_at, Some(world.now.after(std::time::Duration::from_secs(90))));
    assert_eq!(world.wave(), Some(0));
    world.reports = known;
    world.settle();
    assert!(world.is_stable("eu"), "what was noted before the crash stands");
}

#[test]
fn a_publisher_that_just_came_back_counts_its_agents_before_it_goes_on() {
    let mut world = World::new(three_waves(), &[("eu", 40)]);
    world.rollout.policy.prepare = Prepare::No;
    world.settle();
    world.everyone(|_, _| true);
    let all = world.reports.clone();
    // Only those of the first wave were heard again so far: a second wave would expect no one else.
    let new = target("new").digest;
    world.reports.values_mut().for_each(|words| words.retain(|word| word.attempted == new));
    world.listening_since = Some(world.now);
    let step = world.settle();
    assert_eq!(
        (world.wave(), step.waits_for.as_deref()),
        (Some(0), Some("wave 1: eu: agents are being counted again"))
    );
    world.reports = all;
    world.settle();
    assert_eq!(world.wave(), Some(1));
}

#[test]
fn agents_are_counted_before_anything_is_pointed() {
    let mut world = World::new(three_waves(), &[("eu", 9)]);
    world.listening_since = Some(at(-10));
    let step = world.settle();
    assert_eq!((step.again_at, world.rollout.n), (Some(at(80)), 1));
    // As many as last time are enough.
    world.last_fleet = 10;
    world.settle();
    assert_eq!(world.rollout.n, 1);
    world.last_fleet = 9;
    world.settle();
    assert_eq!(world.rollout.regions[&region("eu")].fleet, 9);
}

#[test]
fn a_publisher_that_hears_nobody_begins_nothing_that_needs_answers() {
    let mut world = World::new(three_waves(), &[("eu", 9)]);
    world.listening_since = None;
    let step = world.settle();
    assert!(step.waits_for.is_some_and(|why| why.contains("cannot be heard")));
    assert_eq!(world.rollout.stage, Stage::Waiting { since: at(0) });
}

#[test]
fn every_wave_means_someone_and_no_more_than_it_says() {
    let policy = policy(vec![wave(&[], 1, 0), wave(&[], 10, 0), wave(&[], 50, 0), wave(&[], 100, 0)]);
    for fleet in [1usize, 2, 3, 10, 67, 150, 1000] {
        let mut world = World::new(policy.clone(), &[("eu", fleet), ("us", fleet), ("ap", fleet)]);
        world.rollout.policy.prepare = Prepare::No;
        for share in [1, 10, 50, 100] {
            world.settle();
            let most = percent(share).of_rounded_up(fleet as u64);
            for name in ["eu", "us", "ap"] {
                let meant = world.on_candidate(name) as u64;
                assert!((1..=most).contains(&meant), "{share}% of {fleet} in {name}: {meant}");
            }
            world.everyone(|_, _| true);
        }
    }
}

#[test]
fn a_new_generation_in_the_middle_of_a_wave_is_answered_again() {
    let mut world = World::new(policy(vec![wave(&[], 100, 300)]), &[("eu", 9)]);
    world.rollout.policy.prepare = Prepare::No;
    world.settle();
    world.everyone(|_, _| true);
    world.settle();
    world.pass(299);
    // Somebody is put into quarantine: nobody has answered the new generation when the soak is over, and nobody fails for it.
    let eu = region("eu");
    world.generation(&eu, |pointer| pointer.quarantine.push("elsewhere".parse().expect("an agent")));
    world.pass(1);
    world.settle();
    assert_eq!(world.wave(), Some(0));
    world.everyone(|_, _| true);
    world.settle();
    assert!(world.is_stable("eu"), "a gate that held before and after held");
}
