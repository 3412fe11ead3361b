//! What a mirror can do to the bytes of a body: change them, send too many, or send those of something else.

use schema::ack::Step;

use super::answer::{Answer, Sending};
use super::arena::{Arena, Refusal, Setup};
use super::forge::bundle_path;
use super::message::Kind;
use crate::world::{assert_ok, eventually, tool};

#[test]
fn a01_a_changed_bundle_is_refused_by_a_real_agent() {
    type Tamper = fn(Answer) -> Answer;
    let ways: [(&str, Tamper, &str); 7] = [
        ("a bit of the first byte", |answer| answer.flipped(0), "sends bytes of sha256"),
        ("a bit in the middle", |answer| answer.flipped(70), "sends bytes of sha256"),
        ("half of it", |answer| answer.changed(|body| body[..body.len() / 2].to_vec()), "bytes of"),
        ("nothing", |answer| answer.changed(|_| Vec::new()), "sends 0 bytes of"),
        ("a byte more", |answer| answer.changed(|body| [body, vec![0]].concat()), "sends more than"),
        (
            "a byte more, of no length",
            |answer| answer.changed(|body| [body, vec![0]].concat()).sent(Sending::Unmeasured),
            "sends more than",
        ),
        ("a reset in the middle", |answer| answer.sent(Sending::Broken(40)), "breaks off"),
    ];
    let mut arena = Arena::new();
    for (way, tamper, words) in ways {
        arena.attacked(way, Refusal::Generation(Step::Fetch, words), |arena| {
            arena.proxy().turn_on(Kind::Bundle, move |_, honest| Ok(tamper(honest.now()?)));
            arena.publish();
        });
    }
}

#[test]
fn a05_endless_and_lying_bodies_are_cut_off_and_memory_stays_bounded() {
    let mut arena = Arena::new();
    let before = arena.peak_kib();
    let endless = |_: &_, honest: &super::proxy::Honest<'_>| Ok(honest.now()?.sent(Sending::Endless));
    arena.attacked("an endless pointer", Refusal::NoPointer("sends more than 16384 bytes"), |arena| {
        arena.proxy().turn_on(Kind::Pointer, endless);
    });
    arena.attacked("an endless manifest", Refusal::Generation(Step::Verify, "sends more than"), |arena| {
        arena.proxy().turn_on(Kind::Manifest, endless);
        arena.publish();
    });
    arena.attacked("an endless bundle", Refusal::Generation(Step::Fetch, "sends more than"), |arena| {
        arena.proxy().turn_on(Kind::Bundle, endless);
        arena.publish();
    });
    arena.attacked("a head without end", Refusal::NoPointer("no answer that can be read"), |arena| {
        arena.proxy().turn_on(Kind::Pointer, |_, _| Ok(Answer::ok("").sent(Sending::HugeHead)));
    });
    for (claimed, words) in
        [(u64::MAX, "no answer that can be read"), (1 << 40, "sends more than"), (16 * 1024 + 1, "sends more than")]
    {
        arena.attacked("a pointer that claims to be long", Refusal::NoPointer(words), |arena| {
            arena.proxy().turn_on(Kind::Pointer, move |_, honest| Ok(honest.now()?.sent(Sending::Claiming(claimed))));
        });
    }
    arena.attacked("a bundle that claims to be long", Refusal::Generation(Step::Fetch, "sends more than"), |arena| {
        arena.proxy().turn_on(Kind::Bundle, |_, honest| Ok(honest.now()?.sent(Sending::Claiming(1 << 30))));
        arena.publish();
    });
    arena.attacked(
        "a bundle that claims to be short",
        Refusal::Generation(Step::Fetch, "sends 10 bytes of"),
        |arena| {
            arena.proxy().turn_on(Kind::Bundle, |_, honest| Ok(honest.now()?.sent(Sending::Claiming(10))));
            arena.publish();
        },
    );
    assert_bounded(&arena, before);
}

#[test]
fn a05_an_endless_trust_root_costs_little_and_holds_up_nothing() {
    let mut arena = Arena::new();
    let before = arena.peak_kib();
    arena
        .proxy()
        .turn_on(Kind::Root, |_, _| Ok(Answer::ok(*b"{\"type\":\"driftless/root/1\"}\n").sent(Sending::Endless)));
    arena.publish();
    arena.comes_to_run_newest("under an endless root");
    assert!(arena.proxy().most_sent() > 0, "the root was asked for");
    assert_bounded(&arena, before);
    arena.recovers("after an endless root");
}

/// What sockets may hold on both sides, and then some; far below what was on offer.
const READ_MAX: u64 = 32 << 20;
/// What a round of refusals may cost an agent.
const GROWTH_MAX_KIB: u64 = 24 << 10;

fn assert_bounded(arena: &Arena, before: u64) {
    let (after, sent) = (arena.peak_kib(), arena.proxy().most_sent());
    assert!(sent < READ_MAX, "the agent let us send {sent} bytes");
    assert!(after < before + GROWTH_MAX_KIB, "peak memory grew from {before} KiB to {after} KiB");
}

const PAGE: &str = "<html><title>It works!</title></html>\n";

#[test]
fn a11_what_a_cache_makes_of_a_body_is_refused() {
    let mut arena = Arena::new();
    arena.attacked("an error page with status 200", Refusal::Pointer("no payload line"), |arena| {
        arena.proxy().turn_on(Kind::Pointer, |_, _| {
            Ok(Answer::ok(b"<html>Service unavailable</html>").with("content-type", "text/html"))
        });
    });
    arena.attacked(
        "an error page for a manifest",
        Refusal::Generation(Step::Verify, "its seal does not hold"),
        |arena| {
            arena.proxy().turn_on(Kind::Manifest, |_, _| Ok(Answer::ok(PAGE)));
            arena.publish();
        },
    );
    arena.attacked("an error page for a bundle", Refusal::Generation(Step::Fetch, "bytes of"), |arena| {
        arena.proxy().turn_on(Kind::Bundle, |_, _| Ok(Answer::ok(PAGE)));
        arena.publish();
    });
    arena.attacked("the body of another path", Refusal::Pointer("its seal does not hold"), |arena| {
        let bundle = format!("/{}", bundle_path(arena.forge.newest().stable.digest));
        arena.proxy().turn_on(Kind::Pointer, move |_, honest| honest.of(&bundle));
    });
    for (kind, refusal) in [
        (Kind::Pointer, Refusal::Pointer("no payload line")),
        (Kind::Manifest, Refusal::Generation(Step::Verify, "its seal does not hold")),
        (Kind::Bundle, Refusal::Generation(Step::Fetch, "bytes")),
    ] {
        arena.attacked("a body that was compressed on the way", refusal, |arena| {
            arena.proxy().turn_on(kind, |_, honest| Ok(honest.now()?.changed(gzip).with("content-encoding", "gzip")));
            arena.publish();
        });
    }
}

/// Compressed by the stock tool, so that it is what a cache would send; without a newline, so that one refusal meets all.
fn gzip(body: Vec<u8>) -> Vec<u8> {
    let output = tool("gzip", &["-cn"], Some(&body));
    assert_ok(&output, "gzip");
    output.stdout.into_iter().filter(|byte| *byte != b'\n').collect()
}

#[test]
fn a11_no_etag_whatever_it_says_keeps_an_agent_from_what_is_new() {
    let mut arena = Arena::with(Setup { wait: "2s", ..Setup::default() }, |_| ());
    for etag in ["*", "W/\"1\"", "\"always the same\"", "", "\"\"", "nonsense without quotes"] {
        arena.proxy().turn_on(Kind::Pointer, move |_, honest| {
            let answer = honest.pass()?;
            Ok(if etag.is_empty() { answer.without("etag") } else { answer.with("etag", etag) })
        });
        for _ in 0..2 {
            arena.publish();
            arena.comes_to_run_newest(etag);
        }
    }
    arena.recovers("after strange etags");
    eventually("nobody was asked with a strange one for ever", || arena.proxy().asked_for(&pointer()) > 12);
}

fn pointer() -> String {
    format!("/{}", super::forge::pointer_path())
}
