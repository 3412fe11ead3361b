//! Malformed roots, broken chains, and orders of delivery.

use bytes::Bytes;
use schema::cycle::{NotAccepted, Offer, Refusal};
use schema::keys::SecretKey;
use schema::root::NotSuccessor;
use schema::seal::SealError;
use schema::{Epoch, Limits, TrustRoot, Verified};
use serde_json::{Value, json};

use crate::world::{Client, NOW, OddRoot, ROOT, after_roots, honest, key, role, root, seal, with_field};

/// A role as JSON, whether or not it can be one.
fn odd_role(threshold: Value, keys: Value) -> Value {
    json!({ "threshold": threshold, "keys": keys })
}

#[test]
fn a20_a_malformed_root_is_refused_at_load_and_as_the_next_one() {
    let one = key(ROOT).public().to_string();
    let two = key(2).public().to_string();
    let many: Vec<String> = (0..65).map(|_| SecretKey::generate().public().to_string()).collect();
    let table = [
        ("a threshold of zero", "release", odd_role(json!(0), json!([one]))),
        ("a threshold of zero, and no keys", "release", odd_role(json!(0), json!([]))),
        ("a negative threshold", "release", odd_role(json!(-1), json!([one]))),
        ("a threshold above the number of keys", "pointer", odd_role(json!(3), json!([one, two]))),
        ("no keys", "pointer", odd_role(json!(1), json!([]))),
        ("one key twice for a threshold of two", "root", odd_role(json!(2), json!([one, one]))),
        ("a threshold in text", "release", odd_role(json!("1"), json!([one]))),
        ("a threshold with a fraction", "release", odd_role(json!(0.5), json!([one]))),
        ("a threshold beyond all numbers", "release", odd_role(json!(1e300), json!([one]))),
        ("no threshold", "release", json!({ "keys": [one] })),
        ("no role", "pointer", Value::Null),
        ("a key that is none", "release", odd_role(json!(1), json!(["RWQ"]))),
        ("more keys than anybody has", "release", odd_role(json!(1), json!(many))),
        ("a region without keys", "pointer_of_region", json!({ "eu-west": odd_role(json!(0), json!([])) })),
        ("version zero", "version", json!(0)),
        ("an end before its beginning", "expires", json!("1969-01-01T00:00:00.000Z")),
    ];
    for (name, field, value) in table {
        let malformed = |version| {
            let odd = OddRoot(with_field(root(version), field, value.clone()));
            seal(odd, &[ROOT, ROOT]).bytes().clone()
        };
        let pinned = Verified::<TrustRoot>::pin(malformed(1), &Limits::DEFAULT);
        assert!(matches!(pinned, Err(SealError::Document(_))), "{name}: {pinned:?}");
        let mut client = Client::new();
        client.refuses(Offer { roots: vec![malformed(2)], ..honest(1) }, 2);
        assert_eq!(client.0.root.version, 1, "{name}");
        client.refresh(honest(1)).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
    }
}

#[test]
fn a21_a_hop_that_breaks_stops_the_chain_right_there() {
    let rotated = TrustRoot { root: role(1, &[2]), ..root(2) };
    let chain = [seal(rotated, &[ROOT, 2]), seal(root(3), &[ROOT]), seal(root(4), &[ROOT])];
    let mut client = Client::new();
    let refusal = client.refuses(after_roots(&chain, honest(1)), 2);
    assert!(matches!(refusal, Refusal::Chain(NotSuccessor::OldKeys(_))), "{refusal:?}");
    assert_eq!(client.0.root.bytes(), chain[0].bytes());
    client
        .refresh(after_roots([&seal(TrustRoot { root: role(1, &[2]), ..root(3) }, &[2])], honest(1)))
        .expect("honest");
}

#[test]
fn a22_a_chain_that_skips_repeats_or_goes_back_is_refused() {
    let versions: [(&[u64], u64); 6] =
        [(&[3], 1), (&[1], 1), (&[2, 2], 2), (&[2, 1], 2), (&[2, 3, 5], 3), (&[u64::MAX], 1)];
    for (chain, reached) in versions {
        let roots: Vec<_> = chain.iter().map(|version| seal(root(*version), &[ROOT])).collect();
        let mut client = Client::new();
        let refusal = client.refuses(after_roots(&roots, honest(1)), 2);
        assert!(matches!(refusal, Refusal::Chain(NotSuccessor::Version { .. })), "{chain:?}: {refusal:?}");
        assert_eq!(client.0.root.version, reached, "{chain:?}");
    }
    let last = seal(root(u64::MAX), &[ROOT]);
    let refusal = Client::with(last.clone()).refuses(after_roots([&last], honest(1)), 2);
    assert!(matches!(refusal, Refusal::Chain(NotSuccessor::Version { .. })), "numbers end: {refusal:?}");
    let later = seal(TrustRoot { epoch: Epoch::new(2), ..root(1) }, &[ROOT]);
    let refusal = Client::with(later).refuses(after_roots([&seal(root(2), &[ROOT])], honest(1)), 2);
    assert!(matches!(refusal, Refusal::Chain(NotSuccessor::Epoch { .. })), "{refusal:?}");
}

#[test]
fn a22_a_longer_chain_than_one_cycle_walks_takes_two() {
    let hops = Limits::DEFAULT.root_hops_max;
    let chain: Vec<_> = (2..=hops + 2).map(|version| seal(root(version), &[ROOT])).collect();
    let mut client = Client::new();
    let refusal = client.refuses(after_roots(&chain, honest(1)), 2);
    assert!(matches!(refusal, Refusal::Hops { max: 1024 }), "{refusal:?}");
    assert_eq!(client.0.root.version, hops + 1);
    client.refresh(after_roots(&chain[hops as usize..], honest(1))).expect("the rest of the chain");
    assert_eq!(client.0.root.version, hops + 2);
}

#[test]
fn a26_no_order_of_delivery_makes_a_bad_pointer_good_or_a_good_one_bad() {
    let good = honest(1).pointer;
    let flipped = {
        let mut bytes = good.to_vec();
        let signature = bytes.iter().position(|byte| *byte == b'\n').expect("a payload line") + 80;
        bytes[signature] = if bytes[signature] == b'A' { b'B' } else { b'A' };
        Bytes::from(bytes)
    };
    let stranger = {
        let payload = good.split_inclusive(|byte| *byte == b'\n').next().expect("a payload line");
        let pointer = schema::seal::Payload::<schema::Pointer>::parse(payload, &Limits::DEFAULT).expect("a pointer");
        pointer.seal(&[key(5)]).bytes().clone()
    };
    // All three have one payload, and so one identity.
    let offered = [&flipped, &good, &stranger];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let mut client = Client::new();
        for at in order.into_iter().chain(order) {
            let refreshed = client.refresh_at(Offer { pointer: offered[at].clone(), ..honest(1) }, NOW);
            match refreshed {
                Ok(_) => assert_eq!(at, 1, "{order:?}"),
                Err(Refusal::Pointer(NotAccepted::Seal(_))) => assert_ne!(at, 1, "{order:?}"),
                Err(other) => panic!("{order:?}: {other:?}"),
            }
        }
    }
}
