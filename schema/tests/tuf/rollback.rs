//! What is older stays out, and what was driven too far ahead can be recovered from.

use schema::cycle::{NotAccepted, NotVouched, Refusal};
use schema::seal::SealError;
use schema::{Epoch, Limits, Manifest, Pointer, TrustRoot, succession};

use crate::world::{
    Client, NOW, POINTER, RELEASE, ROOT, after_roots, at, honest, manifest, offer, pointer, role, root, seal,
};

fn succession_refusal(refusal: Refusal) -> succession::Refusal {
    match refusal {
        Refusal::Pointer(NotAccepted::Succession(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tuf_test_new_timestamp_version_rollback() {
    let mut client = Client::new();
    client.refresh(honest(2)).expect("honest");
    let refusal = succession_refusal(client.refuses(honest(1), 5));
    assert!(matches!(refusal, succession::Refusal::Rollback { .. }), "{refusal:?}");
    client.refresh(honest(3)).expect("the next honest pointer");
}

#[test]
fn tuf_test_snapshot_rollback() {
    // An older manifest under a newer generation is how one goes back on purpose, and the floor is how far one can.
    let old = seal(Manifest { release_seq: 6, ..manifest("old") }, &[RELEASE]);
    let mut client = Client::new();
    client.refresh(honest(1)).expect("honest");
    client.refresh(offer(&pointer(2, &old), &old)).expect("rule 8: back to an older bundle, by a newer pointer");
    let raised = seal(TrustRoot { release_floor: 7, ..root(2) }, &[ROOT]);
    let refusal = client.refuses(after_roots([&raised], offer(&pointer(3, &old), &old)), 7);
    assert!(matches!(refusal, Refusal::Manifest(NotVouched::BelowFloor { release_seq: 6, floor: 7 })), "{refusal:?}");
    client.refresh(honest(4)).expect("what is at the floor");
}

#[test]
fn tuf_test_targets_rollback() {
    // The old manifest, with its good signature, where the pointer names the new one.
    let old = seal(Manifest { release_seq: 6, ..manifest("old") }, &[RELEASE]);
    let mut client = Client::new();
    let offer = schema::cycle::Offer { manifest: old.bytes().clone(), ..honest(1) };
    let refusal = client.refuses(offer, 7);
    assert!(matches!(refusal, Refusal::Manifest(NotVouched::Other { .. })), "{refusal:?}");
}

#[test]
fn tuf_test_targets_fast_forward_recovery() {
    // No reader remembers a release number, so one that a thief drove to the end binds nobody once the key is out.
    let far = seal(Manifest { release_seq: u64::MAX, ..manifest("far") }, &[RELEASE]);
    let mut client = Client::new();
    client.refresh(offer(&pointer(1, &far), &far)).expect("signed by the stolen key");
    let rotated = seal(TrustRoot { release: role(1, &[6]), ..root(2) }, &[ROOT]);
    let new = seal(manifest("new"), &[6]);
    client.refresh(after_roots([&rotated], offer(&pointer(2, &new), &new))).expect("recovered");
    assert!(client.refresh(offer(&pointer(3, &far), &far)).is_err(), "the stolen key is out");
}

#[test]
fn tuf_test_new_timestamp_fast_forward_recovery() {
    let manifest = seal(manifest("bundle"), &[RELEASE]);
    let jump = Limits::DEFAULT.generation_jump_max;
    let mut client = Client::new();
    client.refresh(honest(1)).expect("honest");
    let refusal = succession_refusal(client.refuses(offer(&pointer(jump + 2, &manifest), &manifest), 5));
    assert!(matches!(refusal, succession::Refusal::FastForward { .. }), "{refusal:?}");
    client.refresh(offer(&pointer(jump + 1, &manifest), &manifest)).expect("as far as one jump goes");
    client.refuses(honest(2), 5);

    // A new key, and an epoch in which generations start anew.
    let recovered = TrustRoot { pointer: role(1, &[6]), epoch: Epoch::new(2), ..root(2) };
    let first = Pointer { epoch: Epoch::new(2), ..pointer(1, &manifest) };
    let sealed = seal(first, &[6]).bytes().clone();
    let offer = schema::cycle::Offer { pointer: sealed, ..honest(1) };
    client.refresh(after_roots([&seal(recovered, &[ROOT])], offer)).expect("recovered");
    let refusal = client.refuses(honest(jump + 2), 4);
    assert!(matches!(refusal, Refusal::Pointer(NotAccepted::Seal(SealError::Threshold { .. }))), "{refusal:?}");
}

#[test]
fn a17_a_clock_that_a_stolen_key_drove_ahead_does_not_outlive_the_key() {
    // Signed with the stolen key, from a time long after every root's end.
    let manifest = seal(manifest("bundle"), &[RELEASE]);
    let far = Pointer { issued: at(1_000_000), expires: at(1_000_100), ..pointer(1, &manifest) };
    let mut client = Client::new();
    assert!(client.refresh(offer(&far, &manifest)).is_err(), "nothing is applied from the future");

    let recovered = TrustRoot { pointer: role(1, &[6]), epoch: Epoch::new(2), ..root(2) };
    let first = Pointer { epoch: Epoch::new(2), ..pointer(1, &manifest) };
    let offer = schema::cycle::Offer { pointer: seal(first, &[6]).bytes().clone(), ..honest(1) };
    client.refresh_at(after_roots([&seal(recovered, &[ROOT])], offer), NOW).expect("recovered");
}

#[test]
fn a23_a_key_that_the_newest_root_took_out_signs_nothing_more() {
    let mut client = Client::new();
    client.refresh(honest(1)).expect("honest");
    // Signed before the rotation, kept back until now, and with a higher generation.
    let replayed = honest(9);
    let rotated = seal(TrustRoot { pointer: role(1, &[6]), ..root(2) }, &[ROOT]);
    let refusal = client.refuses(after_roots([&rotated], replayed), 4);
    assert!(matches!(refusal, Refusal::Pointer(NotAccepted::Seal(SealError::Threshold { signed: 0, .. }))));
    assert_eq!(client.0.root.version, 2, "the root comes first in every cycle");
    let manifest = seal(manifest("bundle"), &[RELEASE]);
    let overlap = seal(TrustRoot { pointer: role(1, &[6, POINTER]), ..root(3) }, &[ROOT]);
    client.refresh(after_roots([&overlap], offer(&pointer(2, &manifest), &manifest))).expect("both keys, for a day");
}
