//! Plans that agents follow by themselves.

use schema::rollout::{Policy, Stage};

use super::super::fixture::*;
use super::super::*;

fn plan() -> Policy {
    let mut policy = policy(vec![wave(&["eu"], 10, 100), wave(&[], 50, 100), wave(&[], 100, 100)]);
    policy.gate = None;
    policy
}

fn world() -> World {
    let mut world = World::new(plan(), &[("eu", 20), ("us", 20)]);
    world.listening_since = None;
    world.settle();
    world
}

#[test]
fn one_pointer_holds_the_whole_plan() {
    let mut world = world();
    let generation = world.pointers[&region("eu")].generation;
    let mut reach = Vec::new();
    for _ in 0..3 {
        reach.push((world.on_candidate("eu"), world.on_candidate("us")));
        world.pass(100);
        if reach.len() < 3 {
            world.settle();
            assert_eq!(world.pointers[&region("eu")].generation, generation);
        }
    }
    assert!(reach[0].0 >= 1 && reach[0].0 <= 2 && reach[0].1 == 0 && reach[2] == (20, 20), "{reach:?}");
    world.settle();
    assert!(world.is_stable("eu") && world.is_stable("us") && world.rollout.is_over());
}

#[test]
fn a_plan_that_is_held_holds_its_agents_and_goes_on_where_it_was() {
    let mut world = world();
    world.pass(150);
    let before = world.on_candidate("eu");
    world.generation(&region("eu"), |pointer| pointer.freeze = true);
    world.settle();
    world.pass(1_000);
    world.settle();
    assert_eq!(world.on_candidate("us"), 10, "the second wave had begun, the third does not while eu is frozen");
    world.generation(&region("eu"), |pointer| pointer.freeze = false);
    world.settle();
    assert_eq!((world.on_candidate("eu"), world.on_candidate("us")), (before, 10), "nobody who had it gives it back");
    world.pass(49);
    assert_eq!(world.on_candidate("eu"), before);
    world.pass(1);
    assert_eq!((world.on_candidate("eu"), world.on_candidate("us")), (20, 20));
    world.pass(100);
    world.settle();
    assert!(world.rollout.is_over());
}

#[test]
fn a_plan_can_be_hurried_one_wave_at_a_time() {
    let mut world = world();
    let what = schema::control::What::Promote { app: world.rollout.app.clone() };
    let mut reach = Vec::new();
    for _ in 0..3 {
        reach.push(world.on_candidate("us"));
        let next = command(&world.rollout, &what, "alice", "go", &world.seen(), world.now);
        world.rollout = next.expect("it is under way").expect("there is a next wave");
        world.settle();
    }
    assert_eq!(reach, [0, 10, 20]);
    assert!(world.is_stable("us") && matches!(world.rollout.stage, Stage::Ended(_)));
}
