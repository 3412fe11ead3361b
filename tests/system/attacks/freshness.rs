//! Keeping the truth back: the same pointer for ever, and 304 to everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::answer::Answer;
use super::arena::{Arena, Refusal, Setup};
use super::forge::DAY;
use super::message::Kind;

/// Long enough to be applied and short enough to be waited for.
const SHORT: Duration = Duration::from_secs(4);

/// Publishes a pointer that soon expires, and waits until it runs.
fn run_something_short(arena: &mut Arena, validity: Duration) {
    arena.forge.validity = validity;
    arena.publish();
    arena.comes_to_run_newest("a short pointer");
    arena.forge.validity = DAY;
}

#[test]
fn a04_a_pointer_that_is_served_for_ever_goes_stale_and_is_kept() {
    let mut arena = Arena::new();
    run_something_short(&mut arena, SHORT);
    arena.attacked("a freeze", Refusal::Stale, |arena| {
        let frozen = arena.forge.newest().bytes().to_vec();
        arena.proxy().turn_on(Kind::Pointer, move |_, _| Ok(Answer::ok(frozen.clone())));
        // Honest news, which nobody hears of.
        arena.publish();
    });
    // A pointer that is over before it arrives is told of as well, and not applied.
    arena.attacked("an expired pointer", Refusal::Stale, |arena| {
        arena.proxy().turn_on(Kind::Pointer, |_, _| Ok(Answer::status(503)));
        let content = arena.new_content();
        let target = arena.forge.release(&content);
        let expired = arena.forge.point(&super::forge::home(), |pointer| {
            pointer.stable = target;
            (pointer.issued, pointer.expires) = (schema::Timestamp::UNIX_EPOCH, super::forge::now());
        });
        arena.proxy().turn_on(Kind::Pointer, move |_, _| Ok(Answer::ok(expired.bytes().to_vec())));
    });
}

#[test]
fn a12_whoever_answers_304_to_every_condition_is_asked_without_one() {
    let mut arena = Arena::with(Setup { wait: "2s", ..Setup::default() }, |_| ());
    run_something_short(&mut arena, SHORT * 4);
    let doubted = Arc::new(AtomicBool::new(false));
    let saw = Arc::clone(&doubted);
    arena.proxy().turn_on(Kind::Pointer, move |request, honest| {
        if request.header("if-none-match").is_some() {
            return Ok(Answer::status(304).with("preference-applied", "wait=1"));
        }
        saw.fetch_or(request.target.contains("?fresh="), Ordering::SeqCst);
        honest.now()
    });
    arena.publish();
    arena.comes_to_run_newest("in spite of 304");
    assert!(doubted.load(Ordering::SeqCst), "the news came without a fresh query key");
    arena.recovers("after 304");
}

#[test]
fn a12_whoever_answers_304_to_everything_is_a_freeze_and_told_as_one() {
    let mut arena = Arena::new();
    run_something_short(&mut arena, SHORT);
    arena.attacked("304 to everything", Refusal::Stale, |arena| {
        arena.proxy().turn_on(Kind::Pointer, |_, _| Ok(Answer::status(304)));
        arena.publish();
    });
}
