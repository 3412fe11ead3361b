//! Thresholds count keys, and keys are what they are whatever they call themselves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schema::cycle::{NotVouched, Refusal};
use schema::keys::InvalidRole;
use schema::seal::SealError;
use schema::{PublicKey, RoleKeys, TrustRoot};

use crate::world::{Client, POINTER, ROOT, after_roots, key, manifest, offer, pointer, role, root, seal};

/// A root whose release role needs two of three keys.
fn two_of_three() -> TrustRoot {
    TrustRoot { release: role(2, &[3, 4, 5]), ..root(2) }
}

/// Refreshes with a manifest that these keys signed.
fn released_by(signers: &[usize]) -> Result<(), Refusal> {
    let manifest = seal(manifest("bundle"), signers);
    let offer = after_roots([&seal(two_of_three(), &[ROOT])], offer(&pointer(1, &manifest), &manifest));
    Client::new().refresh(offer).map(|_| ())
}

fn signed(refusal: Result<(), Refusal>) -> usize {
    match refusal {
        Err(Refusal::Manifest(NotVouched::Seal(SealError::Threshold { signed, threshold: 2 }))) => signed,
        other => panic!("{other:?}"),
    }
}

/// The same point under another key id.
fn renamed(key: &PublicKey, number: u8) -> PublicKey {
    let mut bytes = STANDARD.decode(key.to_string()).expect("base64");
    bytes[2] ^= number;
    STANDARD.encode(bytes).parse().expect("still a key")
}

#[test]
fn tuf_test_snapshot_does_not_meet_threshold() {
    assert_eq!(signed(released_by(&[3])), 1);
    assert!(released_by(&[3, 5]).is_ok());
}

#[test]
fn tuf_test_snapshot_has_too_few_keys() {
    let keys = vec![key(3).public().clone()];
    assert_eq!(RoleKeys::new(2, keys), Err(InvalidRole::Threshold { threshold: 2, keys: 1 }));
}

#[test]
fn tuf_test_duplicate_keys() {
    let one = key(3).public();
    let again = [one.clone(), renamed(one, 1), renamed(one, 2)];
    assert!(matches!(RoleKeys::new(2, again.to_vec()), Err(InvalidRole::RepeatedKey(_))));
    assert!(matches!(RoleKeys::new(1, vec![one.clone(), one.clone()]), Err(InvalidRole::RepeatedKey(_))));
}

#[test]
fn tuf_test_duplicate_sig_keyids() {
    assert_eq!(signed(released_by(&[3, 3])), 1);
    assert_eq!(signed(released_by(&[3, 3, 3, 9])), 1);
}

#[test]
fn tuf_test_keytype_and_scheme() {
    // Of the suite's three schemes one is left, Ed25519 as minisign spells it; what stands for another is no key.
    let good = STANDARD.decode(key(3).public().to_string()).expect("base64");
    assert!(STANDARD.encode(&good).parse::<PublicKey>().is_ok());
    for algorithm in [b"ED", b"RS", b"EC", b"\0\0"] {
        let other = STANDARD.encode([algorithm, &good[2..]].concat());
        assert!(other.parse::<PublicKey>().is_err(), "{other}");
    }
    let short = STANDARD.encode(&good[..good.len() - 1]);
    let long = STANDARD.encode([&good[..], &[0]].concat());
    for other in [short, long, "ssh-ed25519 AAAA".to_owned(), "-----BEGIN PUBLIC KEY-----".to_owned()] {
        assert!(other.parse::<PublicKey>().is_err(), "{other}");
    }
    assert!(released_by(&[4, 5]).is_ok());
}

#[test]
fn tuf_test_invalid_sig_in_valid_metadata() {
    // A signature that does not hold counts as none; it takes nothing from those that do.
    let manifest = seal(manifest("bundle"), &[3, 4, 5]);
    let other = seal(crate::world::manifest("other"), &[3, 4, 5]);
    let spoil = |spoilt: usize| {
        let text = String::from_utf8(manifest.bytes().to_vec()).expect("text");
        let foreign = String::from_utf8(other.bytes().to_vec()).expect("text");
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        let foreign: Vec<&str> = foreign.split_inclusive('\n').collect();
        for block in 0..spoilt {
            let signature = 1 + block * 4 + 1;
            lines[signature] = foreign[signature];
        }
        let offer = offer(&pointer(1, &manifest), &manifest);
        let offer = schema::cycle::Offer { manifest: Bytes::from(lines.concat()), ..offer };
        Client::new().refresh(after_roots([&seal(two_of_three(), &[ROOT])], offer)).map(|_| ())
    };
    assert!(spoil(0).is_ok() && spoil(1).is_ok());
    assert_eq!(signed(spoil(2)), 1);
}

#[test]
fn a25_keys_that_share_an_id_are_told_apart() {
    // A key id is eight bytes that its maker chooses: take another's for our own.
    let honest = key(POINTER);
    let file = schema::keys::SecretKey::generate().to_file_text();
    let lines: Vec<&str> = file.lines().collect();
    let mut secret = STANDARD.decode(lines[1]).expect("base64");
    let id = STANDARD.decode(honest.public().to_string()).expect("base64");
    secret[54..62].copy_from_slice(&id[2..10]);
    let twin = format!("{}\n{}\n", lines[0], STANDARD.encode(&secret));
    let twin = schema::keys::SecretKey::from_file_text(&twin).expect("an id is free to choose");
    assert_ne!(twin.public(), honest.public());
    assert_eq!(STANDARD.decode(twin.public().to_string()).expect("base64")[2..10], id[2..10]);

    let role = |keys: &[&PublicKey]| RoleKeys::new(1, keys.iter().copied().cloned().collect()).expect("a role");
    let open = |signers: &[&schema::keys::SecretKey], role: &RoleKeys| {
        let sealed = schema::Verified::seal(manifest("bundle"), signers);
        schema::Verified::<schema::Manifest>::open(sealed.bytes().clone(), role, &schema::Limits::DEFAULT).map(|_| ())
    };
    let refused = open(&[&twin], &role(&[honest.public()]));
    assert!(matches!(refused, Err(SealError::Threshold { signed: 0, threshold: 1 })), "{refused:?}");
    assert!(open(&[&twin, honest], &role(&[honest.public()])).is_ok(), "the other signature is still tried");
    assert!(open(&[honest], &role(&[twin.public(), honest.public()])).is_ok(), "the other key is still tried");
    assert!(open(&[&twin], &role(&[honest.public(), twin.public()])).is_ok());
}
