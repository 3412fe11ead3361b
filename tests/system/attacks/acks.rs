//! Answers of agents on their way up: repeated, forged, dropped, and invented by whoever is in between.

use serde_json::Value;

use super::answer::Answer;
use super::arena::{Arena, Refusal};
use super::forge::{DAY, home};
use super::message::Kind;
use crate::world::{eventually, tool};

/// What the honest gateway knows of the newest generation: how many agents there are, and how many applied it.
fn counted(arena: &Arena) -> (Value, Value) {
    let status = arena.gateway().status();
    let region = crate::story::region(&status, "web", home().as_str());
    let generation = arena.forge.newest().generation.number();
    let newest =
        region["agents"]["generations"].as_array().into_iter().flatten().find(|one| one["generation"] == generation);
    (region["agents"]["known"].clone(), newest.map_or(Value::from(0), |newest| newest["applied"].clone()))
}

/// Posts acks to the honest gateway with the stock curl, and gives the status of its answer.
fn post(arena: &Arena, body: &[u8]) -> String {
    let url = format!("{}/v1/acks", arena.gateway().url);
    let args = ["--noproxy", "*", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--data-binary", "@-", &url];
    String::from_utf8_lossy(&tool("curl", &args, Some(body)).stdout).into_owned()
}

#[test]
fn a15_replayed_and_forged_acks_change_no_count() {
    let mut arena = Arena::new();
    arena.recovers("a second generation");
    let one = (Value::from(1), Value::from(1));
    eventually("the agent is counted", || counted(&arena) == one);
    let posted = arena.proxy().posted();
    assert!(!posted.is_empty(), "acks went by the proxy");
    for body in posted.iter().rev().chain(&posted).chain(posted.iter().rev()) {
        post(&arena, body);
        assert_eq!(counted(&arena), one, "a replay counts as nothing");
    }
    for body in &posted {
        let text = String::from_utf8_lossy(body);
        let forgeries = [
            text.replace("web-1", "web-2"),
            text.replace("applied", "refused"),
            text.replace("\"generation\":", "\"generation\":1"),
        ];
        for forged in forgeries.iter().filter(|forged| **forged != text) {
            let status = post(&arena, forged.as_bytes());
            assert!(status.starts_with('4'), "a forged ack was answered {status}");
            assert_eq!(counted(&arena), one, "a forgery counts as nothing");
        }
    }
    arena.recovers("after replays and forgeries");
    eventually("the next ack counts", || counted(&arena) == one);
}

#[test]
fn a45_a_gateway_that_drops_acks_and_shows_old_pointers_is_seen_by_silence_and_expiry() {
    let mut arena = Arena::new();
    arena.forge.validity = std::time::Duration::from_secs(4);
    arena.recovers("a short pointer");
    arena.forge.validity = DAY;
    eventually("the agent is counted", || counted(&arena).1 == 1);
    arena.attacked("a byzantine gateway", Refusal::Stale, |arena| {
        let frozen = arena.forge.newest().bytes().to_vec();
        arena.proxy().turn(move |request, honest| match request.kind() {
            Kind::Pointer => Ok(Answer::ok(frozen.clone())),
            Kind::Acks => Ok(Answer::ok("{}")),
            _ => honest.pass(),
        });
        arena.publish();
        assert_eq!(counted(arena).1, 0, "silence is never a yes");
    });
    eventually("what is honest is counted again", || counted(&arena).1 == 1);
}
