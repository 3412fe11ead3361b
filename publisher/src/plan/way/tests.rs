use std::collections::BTreeMap;

use schema::keys::SecretKey;
use schema::rollout::End;
use schema::{CommitId, Order, RolloutId, Target, Timestamp, Verified};

use super::*;
use crate::rollout::driver::tests::policy;
use crate::rollout::{Departure, Start, begin};

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn target(name: &str) -> Target {
    Target { digest: digest(name), manifest: digest(name) }
}

fn commit(digit: &str) -> CommitId {
    digit.repeat(40).parse().expect("a commit id")
}

fn region(name: &str) -> Region {
    name.parse().expect("a region")
}

fn pointer(freeze: bool) -> Verified<Pointer> {
    let now = Timestamp::from_unix_millis(1_800_000_000_000);
    let pointer = Pointer {
        app: "web".parse().expect("an app"),
        region: region("eu"),
        epoch: Order::FIRST.epoch,
        generation: Order::FIRST.generation,
        serial: Order::FIRST.serial,
        issued: now,
        expires: now.after(std::time::Duration::from_secs(60)),
        prev: None,
        trace: None,
        commit: commit("a"),
        stable: target("a"),
        candidate: None,
        quarantine: Vec::new(),
        freeze,
        withdrawn: Vec::new(),
        cause: freeze.then(|| Cause::new("olga", Deed::Freeze, "an exam")),
    };
    Verified::seal(pointer, &[&SecretKey::generate()])
}

/// A rollout from `a` to `b` in `eu`.
fn rollout(stage: impl FnOnce(Stage) -> Stage) -> Rollout {
    let departure = Departure { from: target("a"), from_commit: commit("a"), to: target("b"), based_on: Order::FIRST };
    let rollout = begin(Start {
        app: "web".parse().expect("an app"),
        id: RolloutId::FIRST,
        commit: commit("b"),
        policy: policy(),
        regions: BTreeMap::from([(region("eu"), departure)]),
        seed: 7,
        now: Timestamp::from_unix_millis(1_800_000_000_000),
    });
    Rollout { stage: stage(rollout.stage.clone()), ..rollout }
}

fn failed() -> Stage {
    Stage::Ended(End::Failed { why: "3 of 20 failed".into() })
}

#[test]
fn every_row_of_the_table() {
    let (eu, careful) = (region("eu"), policy());
    let slow = Policy { reverts: Reverts::Waves, ..policy() };
    let (under_way, over) = (rollout(|stage| stage), rollout(|_| failed()));
    let (standing, frozen) = (pointer(false), pointer(true));
    let go = |newest: Option<&Pointer>, asked: &str, policy, rollout, past| {
        way(newest, (&eu, &digest(asked)), policy, rollout, past)
    };
    let (new, good) = (Past::Unproven, Past::KnownGood);
    assert_eq!(go(None, "b", Some(&careful), None, new), Way::Direct, "the first bundle breaks nobody");
    assert_eq!(go(Some(&standing), "b", None, None, new), Way::Direct, "no policy, no waves");
    assert_eq!(go(Some(&standing), "b", Some(&careful), None, new), Way::Staged);
    assert_eq!(go(Some(&standing), "b", Some(&careful), None, good), Way::Direct);
    assert_eq!(go(Some(&standing), "b", Some(&slow), None, good), Way::Staged);
    assert_eq!(go(Some(&standing), "b", Some(&careful), Some(&under_way), new), Way::UnderWay);
    let waits = go(Some(&standing), "c", Some(&careful), Some(&under_way), good);
    assert!(matches!(waits, Way::Held(Held::Waits { .. })), "{waits:?}");
    let blocked = go(Some(&standing), "b", Some(&careful), Some(&over), new);
    assert_eq!(blocked, Way::Held(Held::Failed { why: "3 of 20 failed".into() }));
    assert_eq!(go(Some(&standing), "b", None, Some(&over), new), blocked, "also where the policy is gone");
    assert_eq!(go(Some(&standing), "c", Some(&careful), Some(&over), new), Way::Staged);
    for (policy, past) in [(None, new), (Some(&careful), new), (Some(&careful), good)] {
        let held = go(Some(&frozen), "b", policy, None, past);
        assert_eq!(held, Way::Held(Held::Frozen { why: "frozen by olga: an exam".into() }));
    }
}

#[test]
fn the_rules_of_a_commit_that_did_not_make_it_are_not_those_of_the_next() {
    let (own, accepted) = (rollout(|stage| stage), Policy { name: "accepted".into(), ..policy() });
    let name = |base: &str, rollout: Option<&Rollout>| {
        policy_in_force(Some(&accepted), Some(&commit(base)), rollout).map(|policy| policy.name.to_string())
    };
    assert_eq!(name("b", None).as_deref(), Some("accepted"));
    assert_eq!(name("b", Some(&own)).as_deref(), Some("careful"), "it is not through yet");
    assert_eq!(name("b", Some(&rollout(|_| failed()))).as_deref(), Some("careful"));
    assert_eq!(name("b", Some(&rollout(|_| Stage::Ended(End::Complete)))).as_deref(), Some("accepted"));
    assert_eq!(name("c", Some(&rollout(|_| failed()))).as_deref(), Some("accepted"), "another came after it");
    assert_eq!(policy_in_force(None, Some(&commit("b")), Some(&own)), Some(&own.policy), "nor is their absence");
}
