//! What expired forbids to apply anything new, takes nothing away, and still counts as seen.

use schema::cycle::{NotAccepted, NotVouched, Refusal, Stale};
use schema::{Digest, Manifest, Pointer, Succession, TrustRoot, succession};

use crate::world::{Client, RELEASE, ROOT, after_roots, at, honest, manifest, offer, pointer, root, seal};

fn old_root(version: u64) -> TrustRoot {
    TrustRoot { expires: at(20), ..root(version) }
}

#[test]
fn tuf_test_root_expired() {
    let mut client = Client::new();
    client.refresh(honest(1)).expect("honest");
    let seen = client.0.seen;
    let refusal = client.refuses(after_roots([&seal(old_root(2), &[ROOT])], honest(2)), 3);
    assert!(matches!(refusal, Refusal::Stale(Stale::Root { version: 2, .. })), "{refusal:?}");
    assert_eq!((client.0.root.version, client.0.seen), (2, seen), "the chain goes on, nothing new is applied");
    client.refresh(after_roots([&seal(root(3), &[ROOT])], honest(2))).expect("a root that is good again");
}

#[test]
fn tuf_test_expired_local_root() {
    // What a client was handed long ago is no harm, as long as the chain leads to a root that is good now.
    let mut client = Client::with(seal(old_root(1), &[ROOT]));
    client.refuses(honest(1), 3);
    let chain = [seal(old_root(2), &[ROOT]), seal(root(3), &[ROOT])];
    client.refresh(after_roots(&chain, honest(1))).expect("only the last root has to be good");
}

#[test]
fn tuf_test_timestamp_expired() {
    let mut client = Client::new();
    client.refresh(honest(1)).expect("honest");
    let refusal = client.refresh_at(honest(2), 100).expect_err("expired");
    assert!(matches!(refusal, Refusal::Stale(Stale::Pointer { expires }) if expires == at(100)), "{refusal:?}");
}

#[test]
fn tuf_test_snapshot_expired() {
    // One document here. It is stale also where the clock was set back: what it was signed after has passed.
    let mut client = Client::new();
    let manifest = seal(manifest("bundle"), &[RELEASE]);
    let late = Pointer { issued: at(200), expires: at(300), ..pointer(1, &manifest) };
    client.refresh_at(offer(&late, &manifest), 210).expect("honest");
    let refusal = client.refresh_at(honest(2), 0).expect_err("expired for whoever saw the other");
    assert!(matches!(refusal, Refusal::Stale(Stale::Pointer { .. })), "{refusal:?}");
}

#[test]
fn tuf_test_targets_expired() {
    // A manifest has no date. What ends it is the root: the floor, or its digest by name.
    let old = seal(manifest("bundle"), &[RELEASE]);
    let raised = seal(TrustRoot { release_floor: 8, ..root(2) }, &[ROOT]);
    let refusal = Client::new().refuses(after_roots([&raised], offer(&pointer(1, &old), &old)), 7);
    assert!(matches!(refusal, Refusal::Manifest(NotVouched::BelowFloor { release_seq: 7, floor: 8 })), "{refusal:?}");
    let revoking = seal(TrustRoot { revoked: vec![Digest::of(b"bundle")], ..root(2) }, &[ROOT]);
    let refusal = Client::new().refuses(after_roots([&revoking], offer(&pointer(1, &old), &old)), 7);
    assert!(matches!(refusal, Refusal::Manifest(NotVouched::Revoked { version: 2 })), "{refusal:?}");
    let new = seal(Manifest { release_seq: 8, ..manifest("new") }, &[RELEASE]);
    let mut client = Client::new();
    client.refresh(after_roots([&raised], offer(&pointer(1, &new), &new))).expect("at the floor");
}

#[test]
fn tuf_test_expired_local_timestamp() {
    // What was seen is remembered beyond its own end: it still forbids what is older, and a newer one goes on from it.
    let mut client = Client::new();
    client.refresh(honest(2)).expect("honest");
    let manifest = seal(manifest("bundle"), &[RELEASE]);
    let later = |generation| Pointer { issued: at(150), expires: at(250), ..pointer(generation, &manifest) };
    let refusal = client.refresh_at(offer(&later(1), &manifest), 200).expect_err("older than what was seen");
    assert!(matches!(refusal, Refusal::Pointer(NotAccepted::Succession(succession::Refusal::Rollback { .. }))));
    let admitted = client.refresh_at(offer(&later(3), &manifest), 200).expect("honest");
    assert_eq!(admitted.succession, Succession::Newer);
}
