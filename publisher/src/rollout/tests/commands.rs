//! What operators do.

use schema::control::What;
use schema::rollout::{End, OnFailure, Place, Prepare, Rollout, Stage};

use super::super::fixture::*;
use super::super::*;

fn under_way() -> World {
    let mut world = World::new(three_waves(), &[("eu", 20)]);
    (world.rollout.policy.prepare, world.rollout.policy.confirm_within) = (Prepare::No, Some(seconds(900)));
    world.settle();
    world
}

fn by_alice(world: &World, what: fn(schema::App) -> What) -> Result<Option<Rollout>, CommandRefused> {
    command(&world.rollout, &what(world.rollout.app.clone()), "alice", "as asked", &world.seen(), world.now)
}

fn done(world: &mut World, what: fn(schema::App) -> What) {
    world.rollout = by_alice(world, what).expect("not refused").expect("it was not so before");
    world.settle();
}

fn pause(app: schema::App) -> What {
    What::Pause { app }
}
fn resume(app: schema::App) -> What {
    What::Resume { app }
}
fn promote(app: schema::App) -> What {
    What::Promote { app }
}
fn abort(app: schema::App) -> What {
    What::Abort { app }
}
fn confirm(app: schema::App) -> What {
    What::Confirm { app }
}

#[test]
fn paused_nothing_moves_and_no_clock_runs() {
    let mut world = under_way();
    world.pass(500);
    done(&mut world, pause);
    assert_eq!(by_alice(&world, pause), Ok(None));
    world.everyone(|_, _| true);
    world.pass(10_000);
    let step = world.settle();
    assert_eq!((step.waits_for.as_deref(), world.wave()), (Some("paused by alice: as asked"), Some(0)));
    world.reports.clear();
    done(&mut world, resume);
    assert_eq!(by_alice(&world, resume), Ok(None));
    world.pass(99);
    world.settle();
    assert!(!world.rollout.is_over(), "a hundred seconds were left");
    world.pass(1);
    world.settle();
    assert!(world.rollout.is_over());
}

#[test]
fn promoted_it_goes_one_wave_further_and_not_two() {
    let mut world = under_way();
    done(&mut world, promote);
    assert_eq!(world.wave(), Some(1));
    assert_eq!(*world.rollout.cause.who, *"alice");
    done(&mut world, promote);
    done(&mut world, promote);
    assert!(world.is_stable("eu"));
    assert!(matches!(by_alice(&world, promote), Err(CommandRefused::Over { .. })));
}

#[test]
fn aborted_it_goes_back_and_stays_blocked() {
    let mut world = under_way();
    done(&mut world, abort);
    assert_eq!(world.on_candidate("eu"), 0);
    assert_eq!(world.rollout.stage, Stage::Ended(End::Aborted { why: "alice: as asked".into() }));
    assert!(blocks(&world.rollout, &region("eu"), &target("new").digest).is_some());
}

#[test]
fn confirmed_agents_may_stay() {
    let mut world = under_way();
    let confirmed = |world: &World| {
        let candidate = world.pointers[&region("eu")].candidate.as_ref().expect("a candidate");
        candidate.slice.confirmed
    };
    assert!(!confirmed(&world));
    done(&mut world, confirm);
    assert!(confirmed(&world));
    assert_eq!(by_alice(&world, confirm), Ok(None));
    // The next wave has to be confirmed for itself.
    done(&mut world, promote);
    let candidate = world.pointers[&region("eu")].candidate.clone().expect("a candidate");
    assert!(!candidate.slice.confirmed && candidate.also.iter().all(|slice| slice.confirmed));
}

#[test]
fn what_nobody_runs_cannot_be_confirmed() {
    let mut world = World::new(three_waves(), &[("eu", 20)]);
    assert!(matches!(by_alice(&world, confirm), Err(CommandRefused::NothingRuns { .. })));
    world.settle();
    assert!(matches!(by_alice(&world, confirm), Err(CommandRefused::NothingRuns { .. })));
}

#[test]
fn a_gate_that_paused_gets_its_time_again() {
    let mut world = under_way();
    world.rollout.policy.on_failure = OnFailure::Pause;
    world.pass(600);
    world.settle();
    assert!(world.rollout.paused.is_some());
    done(&mut world, resume);
    world.pass(599);
    world.settle();
    assert_eq!(world.rollout.paused, None);
    world.pass(1);
    world.settle();
    assert!(world.rollout.paused.is_some());
}

#[test]
fn what_is_held_is_not_resumed_by_hand() {
    let mut world = under_way();
    world.generation(&region("eu"), |pointer| pointer.freeze = true);
    world.settle();
    assert!(matches!(by_alice(&world, resume), Err(CommandRefused::Held { .. })));
}

#[test]
fn commands_about_something_else_are_refused() {
    let world = under_way();
    let other = |app: &str| What::Pause { app: app.parse().expect("an app") };
    let freeze = What::Freeze { app: None, region: None };
    for what in [other("other"), freeze] {
        let refused = command(&world.rollout, &what, "alice", "", &world.seen(), world.now);
        assert!(matches!(refused, Err(CommandRefused::NotAboutIt { .. })));
    }
}

#[test]
fn a_region_that_waits_for_the_others_is_confirmed_meanwhile() {
    let mut world = World::new(policy(vec![wave(&[], 50, 0), wave(&[], 100, 0)]), &[("eu", 9), ("us", 9)]);
    (world.rollout.policy.prepare, world.rollout.policy.confirm_within) = (Prepare::No, Some(seconds(900)));
    world.settle();
    world.answer(&region("eu"), |_, _| Some(true));
    world.settle();
    let is_confirmed =
        |name: &str| matches!(world.rollout.regions[&region(name)].place, Place::Candidate { confirmed: true, .. });
    assert!(is_confirmed("eu") && !is_confirmed("us"));
}
