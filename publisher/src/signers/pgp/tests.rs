//! Against real GnuPG: every rule, on keys and signatures that it made.

mod gpg;
mod grafted;

use schema::Timestamp;

use super::*;
use crate::signers::{PolicyError, SignatureRefusal, Signed, Signer, SignerPolicy};
use gpg::{Gpg, PAYLOAD};

/// Judges a signature by a policy file that lists `fingerprint`.
fn judge(gpg: &Gpg, fingerprint: &str, armoured: &[u8], first_seen: &str) -> Result<Signer, SignatureRefusal> {
    let policy = load(gpg, fingerprint, "").expect("a good policy");
    let commit = Signed { signature: Some(armoured), payload: PAYLOAD, committer: "alice@example.com" };
    policy.judge(commit, first_seen.parse().expect("a time"))
}

/// Exports all keys, and reads a policy that lists the one.
fn load(gpg: &Gpg, fingerprint: &str, more: &str) -> Result<SignerPolicy, PolicyError> {
    std::fs::write(gpg.path("keys.asc"), gpg.run(&["--armor", "--export"])).expect("a temporary folder");
    let text = format!(
        "principals:\n  - name: alice@example.com\n    pgp: [{{ fingerprint: {fingerprint}, file: keys.asc }}]\n{more}"
    );
    std::fs::write(gpg.path("policy.yaml"), text).expect("a temporary folder");
    SignerPolicy::load(&gpg.path("policy.yaml"))
}

const NOW: &str = "2026-08-01T12:00:00.000Z";

#[test]
fn every_kind_of_key_that_gpg_makes_is_believed() {
    for kind in ["ed25519", "rsa3072", "nistp256", "nistp384"] {
        let gpg = Gpg::new();
        let key = gpg.key("Alice <alice@example.com>", kind, "sign", "never");
        for mode in [&[][..], &["--textmode"], &["--digest-algo", "SHA512"]] {
            let signer =
                judge(&gpg, &key, &gpg.sign(&key, mode), NOW).unwrap_or_else(|why| panic!("{kind} {mode:?}: {why}"));
            assert_eq!(
                (signer.key_fingerprint.as_str(), signer.principal.to_string().as_str()),
                (&*key, "alice@example.com")
            );
        }
        let mut other = gpg.sign(&key, &[]);
        let at = other.len() / 2;
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        assert!(judge(&gpg, &key, &other, NOW).is_err(), "a changed signature");
        let policy = load(&gpg, &key, "").expect("a good policy");
        let signature = gpg.sign(&key, &[]);
        let commit = Signed { signature: Some(&signature), payload: b"another commit\n", committer: "" };
        let refused = policy.judge(commit, NOW.parse().expect("a time"));
        assert_eq!(refused, Err(SignatureRefusal::OpenPgp(PgpRefusal::Forged { key: key.clone() })));
    }
}

#[test]
fn a_signing_subkey_counts_as_its_primary_key_and_is_revoked_with_it() {
    let gpg = Gpg::new();
    let key = gpg.key("Alice <alice@example.com>", "ed25519", "cert", "never");
    let subkey = gpg.subkey(&key, "ed25519", "sign", "never");
    let signature = gpg.sign(&subkey, &[]);
    assert_eq!(judge(&gpg, &key, &signature, NOW).expect("bound and signed back").key_fingerprint, subkey);
    // The policy lists people by their primary key, not by one of several subkeys.
    assert!(load(&gpg, &subkey, "").is_err());
    for revoked in [&key, &subkey] {
        let more = format!("revoked: [{{ key: {revoked}, since: 2026-08-01T00:00:00Z }}]\n");
        let policy = load(&gpg, &key, &more).expect("a good policy");
        let commit = Signed { signature: Some(&signature), payload: PAYLOAD, committer: "" };
        let seen = |text: &str| policy.judge(commit, text.parse().expect("a time"));
        assert!(matches!(seen(NOW), Err(SignatureRefusal::Revoked { .. })), "{revoked}");
        assert!(seen("2026-07-31T23:59:59.999Z").is_ok(), "what was seen before stays good");
    }
}

#[test]
fn a_primary_key_without_the_flag_to_sign_may_not() {
    let gpg = Gpg::new();
    let key = gpg.key("Alice <alice@example.com>", "ed25519", "cert", "never");
    let secret = grafted::Secret::of(&gpg, &key);
    let refused = judge(&gpg, &key, &secret.sign_with_primary(&gpg), NOW);
    assert!(
        matches!(&refused, Err(SignatureRefusal::OpenPgp(PgpRefusal::Unfit { why, .. })) if why.contains("not for signing")),
        "{refused:?}"
    );
}

#[test]
fn a30_an_expired_key_counts_for_what_was_seen_in_time() {
    let mut gpg = Gpg::at("20260101T000000");
    let key = gpg.key("Alice <alice@example.com>", "ed25519", "cert", "30d");
    let subkey = gpg.subkey(&key, "ed25519", "sign", "10d");
    let other = gpg.subkey(&key, "ed25519", "sign", "never");
    let (short, long) = (gpg.sign(&subkey, &[]), gpg.sign(&other, &[]));
    for (signature, seen, expired) in [
        (&short, "2026-01-10T23:59:59.000Z", None),
        (&short, "2026-01-11T00:00:00.000Z", Some(&subkey)),
        (&long, "2026-01-11T00:00:00.000Z", None),
        (&long, "2026-01-30T23:59:59.000Z", None),
        // A subkey without an end ends with its primary key.
        (&long, "2026-01-31T00:00:00.000Z", Some(&key)),
    ] {
        let judged = judge(&gpg, &key, signature, seen);
        match (judged, expired) {
            (Ok(_), None) => {}
            (Err(SignatureRefusal::OpenPgp(PgpRefusal::Expired { key, .. })), Some(expired)) => {
                assert_eq!(&key, expired)
            }
            (judged, _) => panic!("{seen}: {judged:?}"),
        }
    }
    // Renewed and exported again, it counts again.
    gpg.time = Some("20260201T000000");
    gpg.run(&["--quick-set-expire", &key, "2y"]);
    assert!(judge(&gpg, &key, &long, "2026-06-01T00:00:00.000Z").is_ok());

    let gpg = Gpg::at("20260101T000000");
    let key = gpg.key("Alice <alice@example.com>", "ed25519", "sign", "never");
    let brief = gpg.sign(&key, &["--default-sig-expire", "1d"]);
    assert!(judge(&gpg, &key, &brief, "2026-01-01T12:00:00.000Z").is_ok());
    let refused = judge(&gpg, &key, &brief, "2026-01-02T00:00:00.000Z");
    assert!(matches!(refused, Err(SignatureRefusal::OpenPgp(PgpRefusal::SignatureExpired { .. }))), "{refused:?}");
}

#[test]
fn a_revocation_in_the_key_file_counts() {
    let gpg = Gpg::new();
    let key = gpg.key("Alice <alice@example.com>", "ed25519", "sign", "never");
    let subkey = gpg.subkey(&key, "ed25519", "sign", "never");
    let (by_primary, by_subkey) = (gpg.sign(&key, &[]), gpg.sign(&subkey, &[]));
    assert!(judge(&gpg, &key, &by_subkey, NOW).is_ok());
    let revoked = |judged| match judged {
        Err(SignatureRefusal::OpenPgp(PgpRefusal::Revoked { key })) => key,
        other => panic!("{other:?}"),
    };
    gpg.edit(&key, "key 1\nrevkey\ny\n0\n\ny\nsave\n");
    assert_eq!(revoked(judge(&gpg, &key, &by_subkey, NOW)), subkey);
    assert!(judge(&gpg, &key, &by_primary, NOW).is_ok(), "the other keys of the same person still count");

    gpg.revoke(&key);
    assert_eq!(revoked(judge(&gpg, &key, &by_primary, NOW)), key);
    assert_eq!(revoked(judge(&gpg, &key, &by_subkey, NOW)), key);
    // It counts whatever the time: a key that was lost may have signed with any date.
    assert_eq!(revoked(judge(&gpg, &key, &by_primary, "1999-01-01T00:00:00.000Z")), key);
}

#[test]
fn a28_somebody_elses_key_is_not_believed_whatever_id_it_claims() {
    let gpg = Gpg::new();
    let alice = gpg.key("Alice <alice@example.com>", "ed25519", "sign", "never");
    let mallory = gpg.key("Alice <alice@example.com>", "ed25519", "sign", "never");
    // Both are in the key file, one is listed.
    let signature = gpg.sign(&mallory, &[]);
    assert_eq!(
        judge(&gpg, &alice, &signature, NOW),
        Err(SignatureRefusal::UnknownKey { fingerprint: mallory.clone() })
    );

    let bytes = |hex: &str| hex::decode(hex).expect("a fingerprint");
    let (mine, hers) = (bytes(&mallory), bytes(&alice));
    let raw = gpg.dearmor(&signature);
    // The short id of Alice's key alone, which is not signed and free to write: the whole fingerprint still tells.
    let short = gpg::replace(&raw, &[&[16][..], &mine[12..]].concat(), &[&[16][..], &hers[12..]].concat());
    assert_ne!(short, raw, "gpg writes a short id");
    let refused = judge(&gpg, &alice, &gpg.enarmor(&short), NOW);
    assert_eq!(refused, Err(SignatureRefusal::UnknownKey { fingerprint: mallory.clone() }));
    // All of it.
    let whole = gpg::replace(&short, &mine, &hers);
    let refused = judge(&gpg, &alice, &gpg.enarmor(&whole), NOW);
    assert_eq!(refused, Err(SignatureRefusal::OpenPgp(PgpRefusal::Forged { key: alice.clone() })));

    // Short ids cannot be listed, and a key file with other keys is of no use.
    for short in [&alice[32..], &alice[24..]] {
        assert!(load(&gpg, &format!("\"{short}\""), "").is_err(), "{short}");
    }
    let absent = load(&gpg, &"A".repeat(40), "").expect_err("no such key");
    assert!(crate::causes(&absent).join(" ").contains("has no key with the fingerprint"), "{absent:?}");
}

#[test]
fn a34_weak_hashes_two_signatures_and_other_kinds_are_refused() {
    let gpg = Gpg::new();
    let (one, two) = (gpg.key("A <a@x>", "rsa3072", "sign", "never"), gpg.key("B <b@x>", "ed25519", "sign", "never"));
    for hash in ["SHA1", "SHA224", "RIPEMD160"] {
        let refused = judge(&gpg, &one, &gpg.sign(&one, &["--digest-algo", hash]), NOW);
        assert!(
            matches!(&refused, Err(SignatureRefusal::OpenPgp(PgpRefusal::WeakHash { hash: found })) if found == hash),
            "{refused:?}"
        );
    }
    let malformed = |armoured: &[u8]| match judge(&gpg, &one, armoured, NOW) {
        Err(SignatureRefusal::OpenPgp(PgpRefusal::Malformed(why))) => why,
        other => panic!("{other:?}"),
    };
    let good = gpg.sign(&one, &[]);
    assert!(malformed(&gpg.sign(&one, &["-u", &two])).contains("sign it once"));
    assert!(malformed(&[&good[..], &good].concat()).contains("exactly one armoured block"));
    assert!(malformed(&[&good[..], b"more\n"].concat()).contains("exactly one armoured block"));
    let raw = gpg.dearmor(&good);
    assert!(malformed(&gpg.enarmor(&raw[..raw.len() - 1])).contains("cut short"));
    assert!(malformed(&gpg.enarmor(&[&raw[..], &[0xc2]].concat())).contains("cut short"));
    // One byte more in the packet than its parts take.
    let length = u16::from_be_bytes([raw[1], raw[2]]) + 1;
    let grown = [&raw[..1], &length.to_be_bytes(), &raw[3..], &[0]].concat();
    assert!(malformed(&gpg.enarmor(&grown)).contains("cannot be read"));
    // A signature over a key is none over a document, and a message is no signature.
    let certification = gpg.certification(&two);
    assert!(malformed(&gpg.enarmor(&certification)).contains("document"));
    assert!(malformed(b"-----BEGIN PGP MESSAGE-----\n\nowE=\n-----END PGP MESSAGE-----\n").contains("armoured block"));
}

#[test]
fn a35_key_files_that_are_damaged_or_missing_leave_no_policy() {
    let gpg = Gpg::new();
    let key = gpg.key("Alice <alice@example.com>", "ed25519", "sign", "never");
    load(&gpg, &key, "").expect("a good policy");
    let file = gpg.path("keys.asc");
    let whole = std::fs::read(&file).expect("just written");
    let reload = |content: &[u8]| {
        std::fs::write(&file, content).expect("writable");
        SignerPolicy::load(&gpg.path("policy.yaml"))
    };
    let secret = gpg.run(&["--armor", "--export-secret-keys"]);
    for (what, content) in [
        ("empty", &b""[..]),
        ("cut short", &whole[..whole.len() / 2]),
        ("with something else after it", &[&whole[..], b"junk"].concat()),
        ("a secret key", &secret),
        ("noise", &[0xff; 64]),
    ] {
        let refused = reload(content);
        assert!(matches!(refused, Err(PolicyError::Invalid { .. })), "{what}: {refused:?}");
    }
    assert!(reload(&gpg.dearmor(&whole)).is_ok(), "without armour it is the same key");
    std::fs::remove_file(&file).expect("it was there");
    let refused = SignerPolicy::load(&gpg.path("policy.yaml"));
    assert!(matches!(&refused, Err(PolicyError::KeyFile { key, .. }) if *key == file), "{refused:?}");
}

#[test]
fn a_key_that_vouches_for_itself_with_sha1_alone_is_no_use() {
    let gpg = Gpg::new();
    let key = gpg.key_with("Alice <alice@example.com>", "rsa3072", "sign", "never", &["--cert-digest-algo", "SHA1"]);
    let refused = load(&gpg, &key, "").expect_err("SHA-1");
    assert!(crate::causes(&refused).join(" ").contains("as weak as SHA-1"), "{refused:?}");
    let small = gpg.key("Alice <alice@example.com>", "rsa1024", "sign", "never");
    let refused = load(&gpg, &small, "").expect_err("too small");
    assert!(crate::causes(&refused).join(" ").contains("less than 2048 bits"), "{refused:?}");
}

#[test]
fn moments_are_counted_from_the_first_to_the_last_second() {
    assert_eq!(super::signature::moment(0, 1), Timestamp::from_unix_millis(1000));
    assert_eq!(super::signature::moment(u32::MAX, u32::MAX).unix_millis(), 2 * i64::from(u32::MAX) * 1000);
}
