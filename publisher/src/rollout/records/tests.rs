//! Who may record states, and whose are believed.

use std::collections::BTreeMap;

use schema::keys::SecretKey;
use schema::{Epoch, Order, RoleKeys, Target, TrustRoot};

use super::*;
use crate::bench::{self, Bench, app, copy, region};
use crate::keys::Keys;
use crate::rollout::driver::tests::policy;
use crate::rollout::{Departure, Start, begin};

/// The first state of a rollout that reaches these regions.
fn first(publisher: &Publisher, regions: &[&str]) -> Rollout {
    let target = |name: &str| Target {
        digest: schema::Digest::of(name.as_bytes()),
        manifest: schema::Digest::of(name.as_bytes()),
    };
    let commit: schema::CommitId = "a".repeat(40).parse().expect("a commit id");
    let departure =
        Departure { from: target("a"), from_commit: commit.clone(), to: target("b"), based_on: Order::FIRST };
    begin(Start {
        app: app(),
        id: RolloutId::FIRST,
        commit,
        policy: policy(),
        regions: regions.iter().map(|name| (region(name), departure.clone())).collect(),
        seed: 7,
        now: publisher.now(),
    })
}

/// A bench whose region `us` has a pointer key of its own, which the publisher has as well.
fn apart() -> (Bench, SecretKey) {
    let mut bench = Bench::new();
    let us = SecretKey::generate();
    let root = TrustRoot::clone(bench.publisher.root());
    bench.under(TrustRoot { pointer_of_region: [(region("us"), bench::role(&us))].into(), ..root });
    let keys = Keys {
        pointer: vec![copy(&bench.publisher.keys.pointer[0])],
        pointer_of_region: BTreeMap::from([(region("us"), vec![copy(&us)])]),
        ..Keys::default()
    };
    bench.publisher = bench.beside(keys, bench.publisher.duty);
    (bench, us)
}

#[tokio::test]
async fn a_state_reads_back_and_only_one_publisher_creates_it() {
    let (bench, _) = apart();
    let state = first(&bench.publisher, &["eu", "us"]);
    assert!(matches!(record(&bench.publisher, state.clone()).await, Ok(Recording::Ours(_))));
    let other = Rollout { salt: "another".into(), ..state.clone() };
    assert!(matches!(record(&bench.publisher, other).await, Ok(Recording::Lost)));
    let read = newest(&bench.publisher, &app(), RolloutId::FIRST).await.expect("it verifies").expect("it is there");
    assert_eq!((*read).clone(), state);
    assert_eq!(began(&bench.publisher, &app(), RolloutId::FIRST).await.expect("it verifies"), Some(state.at));
    let second = Rollout { n: 2, ..state };
    record(&bench.publisher, second).await.expect("it is next");
    let read = newest(&bench.publisher, &app(), RolloutId::FIRST).await.expect("it verifies").expect("it is there");
    assert_eq!(read.n, 2);
}

#[tokio::test]
async fn the_keys_of_one_region_say_nothing_for_another() {
    let (bench, us) = apart();
    let state = first(&bench.publisher, &["eu", "us"]);
    let keys = Keys { pointer_of_region: BTreeMap::from([(region("us"), vec![copy(&us)])]), ..Keys::default() };
    let alone = bench.beside(keys, bench.publisher.duty);
    assert!(!drives(&alone, state.regions.keys()) && drives(&bench.publisher, state.regions.keys()));
    let refused = record(&alone, state.clone()).await.expect_err("one key of two");
    assert!(matches!(&refused.fault, RecordFault::Unsigned { .. }) && refused.hint().is_some(), "{refused:?}");
    assert_eq!(ids(&bench.publisher, &app()).await.expect("a listing"), [], "nothing was written");

    // Written all the same, it is not believed.
    let forged = Verified::seal(state, &[&us]);
    bench.put(&StorePath::Rollout { app: app(), id: RolloutId::FIRST, n: 1 }, forged.bytes().clone()).await;
    let refused = newest(&bench.publisher, &app(), RolloutId::FIRST).await.expect_err("not by eu's keys");
    let RecordFault::Damaged { source: NotTheState::OneRegion { region: of, .. }, .. } = &refused.fault else {
        panic!("{refused:?}")
    };
    assert_eq!(of, &region("eu"));
}

#[tokio::test]
async fn a_state_counts_in_its_own_place_alone() {
    let bench = Bench::new();
    let state = first(&bench.publisher, &["eu"]);
    let Ok(Recording::Ours(sealed)) = record(&bench.publisher, state).await else { panic!("it is the first") };
    bench.put(&StorePath::Rollout { app: app(), id: RolloutId::FIRST, n: 2 }, sealed.bytes().clone()).await;
    let refused = newest(&bench.publisher, &app(), RolloutId::FIRST).await.expect_err("it is state 1");
    assert!(matches!(refused.fault, RecordFault::Damaged { source: NotTheState::Other, .. }), "{refused:?}");
}

#[tokio::test]
async fn keys_that_were_replaced_spoke_before_those_that_replaced_them() {
    let mut bench = Bench::new();
    let state = first(&bench.publisher, &["eu"]);
    record(&bench.publisher, state.clone()).await.expect("by the first key");
    let (old, new) = (copy(&bench.publisher.keys.pointer[0]), SecretKey::generate());
    bench.rotate(|root| TrustRoot { pointer: role(&new), ..root }).await;
    let mut publisher = bench.beside(Keys { pointer: vec![copy(&new)], ..Keys::default() }, crate::Duty::Pointer);
    publisher.follow_roots().await.expect("a successor");
    bench.publisher = publisher;
    let read = newest(&bench.publisher, &app(), RolloutId::FIRST).await.expect("it was right in its time");
    assert_eq!(read.map(|read| read.n), Some(1));
    record(&bench.publisher, Rollout { n: 2, ..state.clone() }).await.expect("by the second key");
    // The first key, stolen, would say what comes next.
    let stolen = Verified::seal(Rollout { n: 3, ..state }, &[&old]);
    bench.put(&StorePath::Rollout { app: app(), id: RolloutId::FIRST, n: 3 }, stolen.bytes().clone()).await;
    let refused = newest(&bench.publisher, &app(), RolloutId::FIRST).await.expect_err("out of force");
    let is_superseded = matches!(refused.fault, RecordFault::Damaged { source: NotTheState::Superseded { .. }, .. });
    assert!(is_superseded, "{refused:?}");
}

#[tokio::test]
async fn a16_what_the_keys_of_an_epoch_that_is_over_said_of_rollouts_holds_nobody_up() {
    let bench = Bench::new();
    let state = first(&bench.publisher, &["eu"]);
    record(&bench.publisher, state).await.expect("by the first key");
    let new = SecretKey::generate();
    bench.rotate(|root| TrustRoot { pointer: role(&new), epoch: Epoch::new(root.epoch.number() + 1), ..root }).await;
    let mut publisher = bench.beside(Keys { pointer: vec![copy(&new)], ..Keys::default() }, crate::Duty::Pointer);
    publisher.follow_roots().await.expect("a successor");
    let read = newest(&publisher, &app(), RolloutId::FIRST).await.expect("it is known what it is");
    assert!(read.is_none(), "it counts no more");
    // Its number is taken all the same.
    assert_eq!(ids(&publisher, &app()).await.expect("a listing"), [RolloutId::FIRST]);
}

fn role(key: &SecretKey) -> RoleKeys {
    bench::role(key)
}
