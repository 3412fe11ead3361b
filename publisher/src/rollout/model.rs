//! Every history of a small rollout, one by one: two regions, three agents, two commits, and whatever can go wrong between them.
//!
//! Breadth first over all interleavings of: an agent reads its pointer and what it tries goes well or badly; its word arrives, is
//! lost, or an old one arrives once more and takes the place of a newer one, which is worse than any keeper of words does; one
//! agent lies; the controller takes a step; the publisher dies between any two writes and forgets all it heard, and another one
//! races it; an operator aborts; a second commit or a revert is merged; time passes to the next moment that the controller waits
//! for. Words are lost as often as you like; of all else at most as much goes wrong in one history as [`Bounds`] say, or there
//! would be no end to it. Words about pointers that are gone are taken for one and the same. What holds is asserted in every
//! state and at every step, see [`rules`].

mod explore;
mod rules;
mod world;

use explore::explore;
use world::Bounds;

#[test]
#[expect(clippy::print_stdout, reason = "the number of states is what one wants to know")]
fn no_history_of_one_publisher_breaks_a_rule() {
    let found = explore(Bounds { publishers: 1, mishaps: 3 });
    println!("one publisher: {found}");
    assert!(found.states > 10_000 && found.completed && found.failed && found.superseded, "{found}");
}

#[test]
#[expect(clippy::print_stdout, reason = "the number of states is what one wants to know")]
fn no_race_of_two_publishers_breaks_a_rule() {
    let found = explore(Bounds { publishers: 2, mishaps: 1 });
    println!("two publishers: {found}");
    assert!(found.states > 10_000 && found.completed && found.failed && found.superseded, "{found}");
}
