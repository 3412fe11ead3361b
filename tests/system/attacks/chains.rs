//! Trust roots that break the chain, or are none: refused at their hop, and the root in force stays.

use std::sync::Arc;

use schema::keys::SecretKey;
use schema::{Digest, Epoch, Limits, StorePath, TrustRoot, Verified};

use super::answer::Answer;
use super::arena::{Arena, Refusal, Served, Setup};
use super::forge::role;
use super::message::Kind;
use super::seals::stock_sign;

/// Shows `file` as the next trust root to an agent that has a reason to look: a pointer that does not hold.
pub(super) fn offer_root(arena: &Arena, file: Vec<u8>) {
    arena.proxy().turn(move |request, honest| match request.kind() {
        Kind::Root => Ok(Answer::ok(file.clone())),
        Kind::Pointer => Ok(honest.now()?.flipped(9)),
        _ => honest.pass(),
    });
}

fn sealed(root: TrustRoot, keys: &[&SecretKey]) -> Vec<u8> {
    Verified::seal(root, keys).bytes().to_vec()
}

#[test]
fn a20_malformed_roots_are_refused_though_the_root_key_signed_them() {
    let mut arena = Arena::new();
    let root = serde_json::to_value(&arena.forge.root).expect("JSON");
    let with = |pointer: &str, value: serde_json::Value| {
        let mut root = root.clone();
        (root["type"], root["version"]) = ("driftless/root/1".into(), 2.into());
        *root.pointer_mut(pointer).expect("a field of a root") = value;
        root
    };
    let key = root["root"]["keys"][0].clone();
    let table = [
        ("a threshold of zero", with("/release/threshold", 0.into())),
        ("a threshold below zero", with("/pointer/threshold", (-1).into())),
        ("a threshold above the keys", with("/root/threshold", 2.into())),
        ("a threshold that is no number", with("/release/threshold", "1".into())),
        ("no keys", with("/pointer/keys", serde_json::json!([]))),
        ("no keys and no threshold", with("/release", serde_json::json!({}))),
        ("a key twice", with("/root/keys", serde_json::json!([key, key]))),
        ("a key that is none", with("/pointer/keys", serde_json::json!(["RWQ"]))),
        ("version zero", with("/version", 0.into())),
        ("over before it began", with("/expires", root["issued"].clone())),
    ];
    for (what, payload) in table {
        arena.attacked(what, Refusal::Root("Trust root 2 is offered and refused"), |arena| {
            let payload = format!("{payload}\n");
            let comment = format!("root v2 e1 {}", Digest::of(payload.as_bytes()));
            let file = stock_sign(arena, &arena.forge.keys.root, payload.as_bytes(), &comment, "-H");
            offer_root(arena, file);
        });
    }
}

#[test]
fn a21_a_root_without_the_old_threshold_or_without_the_new_one_is_refused_at_its_hop() {
    let mut arena = Arena::new();
    let thief = SecretKey::generate();
    arena.attacked("not signed by the old key", Refusal::Root("not signed by the root in force"), |arena| {
        let next = arena.forge.next_root(|root| root.root = role(&[&thief], 1));
        offer_root(arena, sealed(next, &[&thief]));
    });
    arena.attacked("not signed by the new key", Refusal::Root("not signed by its own keys"), |arena| {
        let next = arena.forge.next_root(|root| root.root = role(&[&thief], 1));
        offer_root(arena, sealed(next, &[&arena.forge.keys.root]));
    });
    arena.attacked("one signature short of the new threshold", Refusal::Root("not signed by its own keys"), |arena| {
        let next = arena.forge.next_root(|root| root.root = role(&[&arena.forge.keys.root, &thief], 2));
        offer_root(arena, sealed(next, &[&arena.forge.keys.root, &arena.forge.keys.root]));
    });
    // The second hop of two: the first is taken and kept, the second is not.
    arena.forge.rotate_by_root(|_| ());
    arena.attacked("the second hop", Refusal::Root("Trust root 3 is offered and refused"), |arena| {
        let next = arena.forge.next_root(|root| root.root = role(&[&thief], 1));
        let (file, third) = (sealed(next, &[&thief]), format!("/{}", StorePath::Root { version: 3 }));
        arena.proxy().turn(move |request, honest| match request.kind() {
            Kind::Root if request.path() == third => Ok(Answer::ok(file.clone())),
            Kind::Pointer => Ok(honest.now()?.flipped(9)),
            _ => honest.pass(),
        });
    });
    assert!(arena.agent.log().iter().any(|line| line.contains("Walked to trust root 2")));
}

#[test]
fn a22_a_skipped_repeated_or_lowered_root_is_refused() {
    let mut arena = Arena::new();
    arena.forge.rotate_by_root(|root| root.epoch = Epoch::new(5));
    arena.recovers("under the second root");
    let second = arena.forge.root.clone();
    let table: [(&str, u64, u64, &str); 5] = [
        ("a version is skipped", 4, 5, "version 4"),
        ("the same version again", 2, 5, "version 2"),
        ("an older version under the newer name", 1, 5, "version 1"),
        ("the last version there is", u64::MAX, 5, "version 18446744073709551615"),
        ("the epoch goes back", 3, 4, "epoch 4"),
    ];
    for (what, version, epoch, words) in table {
        arena.attacked(what, Refusal::Root(words), |arena| {
            let next = TrustRoot { version, epoch: Epoch::new(epoch), ..second.clone() };
            offer_root(arena, sealed(next, &[&arena.forge.keys.root]));
        });
    }
}

#[test]
fn a22_of_a_chain_without_end_no_more_hops_are_walked_than_the_limit() {
    let arena = Arena::with(Setup { served: Served::AsFiles, ..Setup::default() }, |_| ());
    let max = Limits::DEFAULT.root_hops_max;
    let (first, key) = (arena.forge.root.clone(), Arc::new(arena.forge.keys.root.to_file_text()));
    // A new pointer is a reason to walk, once; it does not hold, so nothing else is done.
    let heard = arena.heard();
    let walked = |arena: &Arena| {
        // Each new look at the pointer begins another walk, so only what was said before the first refusal is one cycle.
        let said = arena.said_since(&heard);
        let cycle = said.iter().take_while(|line| !line.contains("A pointer is offered and refused"));
        cycle.filter(|line| line.contains("Walked to trust root")).count() as u64
    };
    let wrong = arena.forge.newest().bytes().iter().rev().copied().collect::<Vec<u8>>();
    arena.proxy().turn(move |request, honest| match request.kind() {
        Kind::Root => {
            let version = request.path().trim_start_matches("/v1/trust/").trim_end_matches(".root").parse();
            let key = SecretKey::from_file_text(&key).expect("our own key");
            Ok(Answer::ok(sealed(TrustRoot { version: version.expect("a number"), ..first.clone() }, &[&key])))
        }
        Kind::Pointer => Ok(Answer::ok(wrong.clone())),
        _ => honest.pass(),
    });
    arena.refuses("a chain without end", Refusal::Pointer("its seal does not hold"), &heard);
    assert!(walked(&arena) >= max, "the chain was long enough");
    assert!(walked(&arena) <= max + 1, "{} hops in one cycle", walked(&arena));
}
