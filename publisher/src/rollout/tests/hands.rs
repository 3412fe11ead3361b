//! Other hands: what somebody did to a region's pointer in the middle of a rollout.

use schema::pointer::{Cause, Deed};
use schema::rollout::{End, Prepare, Stage};

use super::super::fixture::*;

fn under_way() -> World {
    let mut world = World::new(policy(vec![wave(&[], 20, 0), wave(&[], 100, 0)]), &[("eu", 9), ("us", 9)]);
    world.rollout.policy.prepare = Prepare::No;
    world.settle();
    world
}

#[test]
fn going_back_by_hand_ends_the_rollout_everywhere() {
    let mut world = under_way();
    world.generation(&region("eu"), |pointer| {
        (pointer.stable, pointer.candidate) = (target("older"), None);
        pointer.cause = Some(Cause::new("alice", Deed::Rollback, "pages are blank"));
    });
    world.settle();
    let Stage::Ended(End::Aborted { why }) = &world.rollout.stage else { panic!("{:?}", world.rollout.stage) };
    assert!(why.contains("eu") && why.contains("alice") && why.contains("pages are blank"), "{why}");
    assert_eq!(world.pointers[&region("eu")].stable, target("older"), "what was done by hand stands");
    assert_eq!(world.on_candidate("us"), 0);
}

#[test]
fn taking_the_candidate_away_by_hand_ends_it_too() {
    let mut world = under_way();
    world.generation(&region("eu"), |pointer| {
        pointer.candidate = None;
        pointer.withdrawn.push(target("new").digest);
    });
    world.settle();
    assert!(matches!(world.rollout.stage, Stage::Ended(End::Aborted { .. })));
}

#[test]
fn quarantine_and_freshness_are_no_other_hand() {
    let mut world = under_way();
    let eu = region("eu");
    world.generation(&eu, |pointer| pointer.quarantine.push("web".parse().expect("an agent")));
    world.generation(&eu, |pointer| pointer.serial = schema::Serial::new(7));
    world.settle();
    assert_eq!(world.wave(), Some(0));
    // Between record and pointer, too: what is there then is what was there before.
    world.everyone(|_, _| true);
    let step = world.step();
    world.rollout = step.state.expect("the next wave");
    world.generation(&eu, |pointer| pointer.quarantine.clear());
    world.settle();
    assert_eq!((world.wave(), world.on_candidate("eu")), (Some(1), 9));
}
