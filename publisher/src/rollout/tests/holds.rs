//! Standing still: frozen regions, closed windows, and the clocks that stand with them.

use schema::rollout::{End, Place, Prepare, Stage, Window};

use super::super::fixture::*;

fn soaking() -> World {
    let mut world = World::new(policy(vec![wave(&[], 100, 300)]), &[("eu", 9), ("us", 9)]);
    world.rollout.policy.prepare = Prepare::No;
    world.settle();
    world.everyone(|_, _| true);
    world.settle();
    world
}

#[test]
fn a_frozen_region_stops_the_clock() {
    let mut world = soaking();
    world.pass(200);
    world.generation(&region("eu"), |pointer| pointer.freeze = true);
    let step = world.settle();
    assert_eq!(step.waits_for.as_deref(), Some("region eu is frozen until a `driftless unfreeze`"));
    world.pass(10_000);
    world.settle();
    assert!(!world.rollout.is_over() && !world.is_stable("us"));
    world.generation(&region("eu"), |pointer| pointer.freeze = false);
    world.everyone(|_, _| true);
    let step = world.settle();
    assert_eq!(step.again_at, Some(at(10_300)), "a hundred seconds of soak are left");
    world.pass(100);
    world.settle();
    assert!(world.is_stable("eu") && world.is_stable("us"));
}

#[test]
fn nothing_begins_in_a_frozen_region() {
    let mut world = World::new(three_waves(), &[("eu", 9), ("us", 9)]);
    world.generation(&region("us"), |pointer| pointer.freeze = true);
    world.settle();
    assert_eq!(world.rollout.stage, Stage::Waiting { since: at(0) });
}

#[test]
fn what_fails_goes_back_though_a_region_is_frozen() {
    let mut world = soaking();
    world.generation(&region("eu"), |pointer| pointer.freeze = true);
    world.settle();
    world.answer(&region("us"), |_, _| Some(false));
    world.settle();
    assert!(matches!(world.rollout.stage, Stage::Ended(End::Failed { .. })));
    for name in ["eu", "us"] {
        assert_eq!(world.pointers[&region(name)].candidate, None, "{name}");
        assert!(matches!(world.rollout.regions[&region(name)].place, Place::Back { .. }));
    }
    assert!(world.pointers[&region("eu")].freeze, "only whoever froze it lets it go");
}

/// At 1 800 000 000 it is 08:00 UTC, a Friday.
fn from_nine_to_five() -> Window {
    Window { cron: "0 0 9 * * *".into(), length: seconds(8 * 3600), tz: "UTC".into() }
}

#[test]
fn a_rollout_waits_for_its_window_and_stands_still_outside() {
    let mut world = World::new(policy(vec![wave(&[], 50, 3600), wave(&[], 100, 0)]), &[("eu", 9)]);
    (world.rollout.policy.prepare, world.rollout.policy.windows) = (Prepare::No, vec![from_nine_to_five()]);
    let step = world.settle();
    assert_eq!((step.again_at, world.rollout.n), (Some(at(3600)), 1));
    let until = format!("no window of the policy is open, until {}", at(3600));
    assert_eq!(step.waits_for, Some(until));
    world.pass(3600 + 8 * 3600 - 600);
    world.settle();
    assert_eq!(world.wave(), Some(0));
    world.everyone(|_, _| true);
    world.settle();
    world.pass(600);
    world.settle();
    assert!(world.rollout.paused.is_some());
    world.pass(16 * 3600);
    world.settle();
    assert_eq!((world.rollout.paused.clone(), world.wave()), (None, Some(0)), "50 minutes of soak are left");
    world.pass(3000);
    world.settle();
    assert_eq!(world.wave(), Some(1));
}
