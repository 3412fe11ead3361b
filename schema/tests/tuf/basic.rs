//! What a refresh starts from, asks of each document, and ends with.

use bytes::Bytes;
use schema::cycle::{NotAccepted, NotVouched, Offer, Refusal};
use schema::root::NotSuccessor;
use schema::seal::{Payload, SealError};
use schema::succession;
use schema::{Digest, Limits, Manifest, Pointer, Seen, Succession, TrustRoot, Verified};
use serde_json::json;

use crate::world::{
    Client, OddManifest, OddRoot, POINTER, RELEASE, ROOT, after_roots, at, honest, key, manifest, offer, pointer, role,
    root, seal, with_field,
};

/// The payload line alone.
fn unsigned(sealed: &Bytes) -> Bytes {
    let end = sealed.iter().position(|byte| *byte == b'\n').expect("a payload line") + 1;
    sealed.slice(..end)
}

#[test]
fn tuf_test_basic_refresh_requests() {
    // What comes later is not looked at before what comes earlier holds.
    let junk = || Bytes::from_static(b"junk");
    let next = seal(root(2), &[ROOT]);
    let cases = [
        (Offer { roots: vec![junk()], pointer: junk(), manifest: junk() }, 2, 1),
        (after_roots([&next], Offer { roots: Vec::new(), pointer: junk(), manifest: junk() }), 4, 2),
        (after_roots([&next], Offer { manifest: junk(), ..honest(1) }), 7, 2),
    ];
    for (offer, rule, reached) in cases {
        let mut client = Client::new();
        client.refuses(offer, rule);
        assert_eq!(client.0.root.version, reached);
    }
}

#[test]
fn tuf_test_basic_refresh_trusted_data() {
    let mut client = Client::new();
    let next = seal(root(2), &[ROOT]);
    let admitted = client.refresh(after_roots([&next], honest(1))).expect("honest");
    assert_eq!(client.0.root.bytes(), next.bytes());
    assert_eq!(client.0.seen, Some(Seen::of(&admitted.pointer)));
    assert_eq!(client.0.floor, Some(at(10)));
    let again = client.refresh(honest(1)).expect("the same once more");
    assert_eq!(again.succession, Succession::Same);
}

#[test]
fn tuf_test_implicit_refresh() {
    // Nothing but the first root, and one call: what comes out has been through every rule.
    let admitted = Client::new().refresh(honest(1)).expect("honest");
    assert_eq!(admitted.manifest.digest, admitted.pointer.stable.digest);
}

#[test]
fn tuf_test_invalid_initial_root() {
    let good = seal(root(1), &[ROOT]).bytes().clone();
    let damaged = Bytes::from([&b"{"[..], &good].concat());
    let odd = |field, value| seal(OddRoot(with_field(root(1), field, value)), &[ROOT]).bytes().clone();
    let foreign = seal(manifest("bundle"), &[ROOT]).bytes().clone();
    let invalid = [
        Bytes::new(),
        Bytes::from_static(b"<html>"),
        damaged,
        odd("version", json!("1")),
        odd("root", json!(null)),
        foreign,
    ];
    for bytes in invalid {
        assert!(Verified::<TrustRoot>::pin(bytes.clone(), &Limits::DEFAULT).is_err(), "{bytes:?}");
    }
}

#[test]
fn tuf_test_unsigned_initial_root() {
    let good = seal(root(1), &[ROOT]).bytes().clone();
    let none = Verified::<TrustRoot>::pin(unsigned(&good), &Limits::DEFAULT);
    assert!(matches!(none, Err(SealError::SignerCount { found: 0, .. })), "{none:?}");
    let stranger = seal(root(1), &[5]).bytes().clone();
    let other = Verified::<TrustRoot>::pin(stranger, &Limits::DEFAULT);
    assert!(matches!(other, Err(SealError::Threshold { signed: 0, threshold: 1 })), "{other:?}");
}

#[test]
fn tuf_test_unsigned_metadata() {
    let next = unsigned(seal(root(2), &[ROOT]).bytes());
    let offers = [
        (Offer { roots: vec![next], ..honest(1) }, 2),
        (Offer { pointer: unsigned(&honest(1).pointer), ..honest(1) }, 4),
        (Offer { manifest: unsigned(&honest(1).manifest), ..honest(1) }, 7),
    ];
    for (offer, rule) in offers {
        Client::new().refuses(offer, rule);
    }
}

#[test]
fn tuf_test_url_and_metadata_version_mismatch() {
    // What was asked for as root 2 is root 3, or root 1 again.
    for version in [3, 1] {
        let refusal = Client::new().refuses(after_roots([&seal(root(version), &[ROOT])], honest(1)), 2);
        assert!(matches!(refusal, Refusal::Chain(NotSuccessor::Version { offered, current: 1 }) if offered == version));
    }
    // What was asked for under the name of one bundle is the manifest of another.
    let other = seal(manifest("other"), &[RELEASE]);
    let refusal = Client::new().refuses(Offer { manifest: other.bytes().clone(), ..honest(1) }, 7);
    assert!(matches!(refusal, Refusal::Manifest(NotVouched::Other { .. })), "{refusal:?}");
}

#[test]
fn tuf_test_timestamp_content_changes() {
    // The suite lets a client pass over it in silence. Here it is told: somebody signed two statements as one.
    let mut client = Client::new();
    client.refresh(honest(1)).expect("honest");
    let seen = client.0.seen;
    let other = seal(manifest("other"), &[RELEASE]);
    let refusal = client.refuses(offer(&pointer(1, &other), &other), 5);
    assert!(matches!(refusal, Refusal::Pointer(NotAccepted::Succession(succession::Refusal::Equivocation { .. }))));
    assert_eq!(client.0.seen, seen);
    client.refresh(honest(2)).expect("the next honest pointer");
}

#[test]
fn tuf_test_basic_metadata_hash_support() {
    let admitted = Client::new().refresh(honest(1)).expect("honest");
    assert_eq!(admitted.pointer.stable.manifest, Digest::of(&unsigned(admitted.manifest.bytes())));
}

#[test]
fn tuf_test_snapshot_hash_mismatch() {
    let manifest = seal(manifest("bundle"), &[RELEASE]);
    let mut wrong = pointer(1, &manifest);
    wrong.stable.manifest = Digest::of(b"another manifest");
    let refusal = Client::new().refuses(offer(&wrong, &manifest), 7);
    assert!(matches!(refusal, Refusal::Manifest(NotVouched::Other { .. })), "{refusal:?}");
}

#[test]
fn tuf_test_targets_hash_mismatch() {
    let manifest = seal(manifest("bundle"), &[RELEASE]);
    let mut wrong = pointer(1, &manifest);
    wrong.stable.digest = Digest::of(b"another bundle");
    let refusal = Client::new().refuses(offer(&wrong, &manifest), 7);
    assert!(matches!(refusal, Refusal::Manifest(NotVouched::OtherBundle { .. })), "{refusal:?}");
}

#[test]
fn tuf_test_metadata_bytes_match() {
    // Signed with blanks that we would not write: kept as it came, and verified as it came.
    let spaced = |sealed: &Bytes| {
        let text = String::from_utf8(unsigned(sealed).to_vec()).expect("JSON");
        text.replace("\",\"", "\" , \"")
    };
    let next = spaced(seal(root(2), &[ROOT]).bytes());
    let next = Payload::<TrustRoot>::parse(next.as_bytes(), &Limits::DEFAULT).expect("a root").seal(&[key(ROOT)]);
    let manifest = spaced(&honest(1).manifest);
    let manifest = Payload::<Manifest>::parse(manifest.as_bytes(), &Limits::DEFAULT).expect("a manifest");
    let manifest = manifest.seal(&[key(RELEASE)]);
    let mut client = Client::new();
    let admitted = client.refresh(after_roots([&next], offer(&pointer(1, &manifest), &manifest))).expect("honest");
    assert_eq!(client.0.root.bytes(), next.bytes());
    assert_eq!(admitted.manifest.bytes(), manifest.bytes());
    assert!(admitted.manifest.bytes().windows(3).any(|three| three == b" , "));
}

#[test]
fn tuf_test_custom_fields() {
    let later = || json!({ "of": ["a", "later", "version"] });
    let next = seal(OddRoot(with_field(root(2), "custom", later())), &[ROOT]).bytes().clone();
    let odd = seal(OddManifest(with_field(manifest("bundle"), "custom", later())), &[RELEASE]).bytes().clone();
    let manifest = Verified::<Manifest>::open(odd, &role(1, &[RELEASE]), &Limits::DEFAULT);
    let manifest = manifest.expect("a field more is no harm");
    let offered = Offer { roots: vec![next], ..offer(&pointer(1, &manifest), &manifest) };
    let mut client = Client::new();
    client.refresh(offered).expect("a field more is no harm");
    assert_eq!(client.0.root.version, 2);
}

#[test]
fn tuf_test_incorrect_metadata_type() {
    // One key signs everything, so that only the type tells them apart.
    let everything = |version| TrustRoot { release: role(1, &[ROOT]), pointer: role(1, &[ROOT]), ..root(version) };
    let next = seal(everything(2), &[ROOT]).bytes().clone();
    let manifest = seal(manifest("bundle"), &[ROOT]);
    let pointed = seal(pointer(1, &manifest), &[ROOT]).bytes().clone();
    let honest = || Offer { roots: Vec::new(), pointer: pointed.clone(), manifest: manifest.bytes().clone() };
    let all = [next, pointed.clone(), manifest.bytes().clone()];
    for (at, wrong) in all.iter().enumerate() {
        let offers = [
            Offer { roots: vec![wrong.clone()], ..honest() },
            Offer { pointer: wrong.clone(), ..honest() },
            Offer { manifest: wrong.clone(), ..honest() },
        ];
        for (place, offer) in offers.into_iter().enumerate() {
            let mut client = Client::with(seal(everything(1), &[ROOT]));
            let refreshed = client.refresh(offer);
            assert_eq!(refreshed.is_ok(), at == place, "{at} as {place}: {:?}", refreshed.err());
        }
    }
}

#[test]
fn a10_every_pair_of_documents_is_told_apart_by_its_trusted_comment_too() {
    // The right payload, with the signature that the same key made for another kind of document.
    let manifest = seal(manifest("bundle"), &[POINTER]);
    let pointer: Pointer = pointer(1, &manifest);
    let sealed = seal(pointer, &[POINTER]);
    let text = String::from_utf8(sealed.bytes().to_vec()).expect("text");
    let swapped = text.replace("trusted comment: pointer ", "trusted comment: manifest ");
    assert_ne!(swapped, text);
    let opened = Verified::<Pointer>::open(Bytes::from(swapped), &role(1, &[POINTER]), &Limits::DEFAULT);
    assert!(matches!(opened, Err(SealError::Threshold { signed: 0, .. })), "{opened:?}");
}
