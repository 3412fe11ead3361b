//! What gpg refuses to make: signatures by keys that may not sign, and subkeys put under other people's keys.

use pgp::composed::{Deserializable as _, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{KeyFlags, PacketTrait as _, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{KeyDetails as _, Password, SigningKey};

use super::*;
use crate::signers::pgp::InvalidCertificate;

/// Somebody's secret key, out of gpg's hands.
pub(super) struct Secret(SignedSecretKey);

fn sign(key: &impl SigningKey, gpg: &Gpg) -> Vec<u8> {
    sign_changed(key, gpg, |_| ())
}

/// A signature of which `change` changed something before it was made.
fn sign_changed(key: &impl SigningKey, gpg: &Gpg, change: impl FnOnce(&mut SignatureConfig)) -> Vec<u8> {
    let mut config = config(SignatureType::Binary, key, None);
    change(&mut config);
    let signature = config.sign(key, &Password::empty(), PAYLOAD).expect("an unlocked key");
    let mut raw = Vec::new();
    signature.to_writer_with_header(&mut raw).expect("memory");
    gpg.enarmor(&raw)
}

fn config(kind: SignatureType, key: &impl SigningKey, flags: Option<KeyFlags>) -> SignatureConfig {
    let mut config = SignatureConfig::v4(kind, key.algorithm(), HashAlgorithm::Sha256);
    let parts = [
        Some(SubpacketData::SignatureCreationTime(key.created_at())),
        Some(SubpacketData::IssuerFingerprint(key.fingerprint())),
        flags.map(SubpacketData::KeyFlags),
    ];
    let parts = parts.into_iter().flatten().map(|part| Subpacket::regular(part).expect("a small part"));
    config.hashed_subpackets = parts.collect();
    config
}

impl Secret {
    pub(super) fn of(gpg: &Gpg, key: &str) -> Secret {
        let raw = gpg.run(&["--export-secret-keys", key]);
        Secret(SignedSecretKey::from_bytes(&raw[..]).expect("gpg's own export"))
    }

    pub(super) fn sign_with_primary(&self, gpg: &Gpg) -> Vec<u8> {
        sign(&self.0.primary_key, gpg)
    }

    fn sign_with_subkey(&self, gpg: &Gpg) -> Vec<u8> {
        sign(&self.0.secret_subkeys[0].key, gpg)
    }
}

#[test]
fn a_subkey_for_encryption_may_not_sign() {
    let gpg = Gpg::new();
    let key = gpg.key("Alice <alice@example.com>", "rsa3072", "sign", "never");
    let subkey = gpg.subkey(&key, "rsa3072", "encr", "never");
    let secret = Secret::of(&gpg, &key);
    let refused = judge(&gpg, &key, &secret.sign_with_subkey(&gpg), NOW);
    match refused {
        Err(SignatureRefusal::OpenPgp(PgpRefusal::Unfit { key, why })) => {
            assert!(key == subkey && why.contains("not for signing"), "{key} {why}");
        }
        other => panic!("{other:?}"),
    }
    // What the library makes is otherwise as good as what gpg makes.
    assert!(judge(&gpg, &key, &secret.sign_with_primary(&gpg), NOW).is_ok());
}

#[test]
fn a_subkey_is_not_taken_over_by_binding_it_to_another_key() {
    let gpg = Gpg::new();
    let alice = gpg.key("Alice <alice@example.com>", "ed25519", "cert", "never");
    let subkey = gpg.subkey(&alice, "ed25519", "sign", "never");
    let mallory = gpg.key("Mallory <mallory@example.com>", "ed25519", "cert", "never");
    let signature = DetachedSignature::read(&gpg.sign(&subkey, &[])).expect("gpg's own signature");
    let (hers, mine) = (Secret::of(&gpg, &alice), Secret::of(&gpg, &mallory));
    let stolen = hers.0.secret_subkeys[0].key.public_key();
    let first_seen = NOW.parse().expect("a time");

    let mut may_sign = KeyFlags::default();
    may_sign.set_sign(true);
    let primary = &mine.0.primary_key;
    let binding = config(SignatureType::SubkeyBinding, primary, Some(may_sign))
        .sign_subkey_binding(primary, primary.public_key(), &Password::empty(), &stolen)
        .expect("anybody can bind any key");
    let hers_over = hers.0.secret_subkeys[0].signatures[0].clone();
    for (binding, said) in [(binding, "has not signed that it belongs"), (hers_over, "is not bound to its primary key")]
    {
        let mut file = gpg.run(&["--export", &mallory]);
        stolen.to_writer_with_header(&mut file).expect("memory");
        binding.to_writer_with_header(&mut file).expect("memory");
        let certificate =
            Certificate::read(&file, &mallory.parse().expect("a fingerprint")).expect("the primary is good");
        assert!(certificate.has(&signature));
        match certificate.judge(&signature, PAYLOAD, first_seen) {
            Err(PgpRefusal::Unfit { why, .. }) => assert!(why.contains(said), "{why}"),
            other => panic!("{said}: {other:?}"),
        }
    }
    let not_there = Certificate::read(&gpg.run(&["--export", &mallory]), &alice.parse().expect("a fingerprint"));
    assert!(matches!(not_there, Err(InvalidCertificate::NotThere(_))));
}

#[test]
fn a34_parts_that_are_not_understood_and_impossible_times_are_refused() {
    let gpg = Gpg::at("20260101T000000");
    let key = gpg.key("Alice <alice@example.com>", "ed25519", "sign", "never");
    let secret = Secret::of(&gpg, &key);
    let primary = &secret.0.primary_key;
    let judged = |change: &dyn Fn(&mut SignatureConfig)| {
        judge(&gpg, &key, &sign_changed(primary, &gpg, |config| change(config)), NOW)
    };
    let malformed = |change: &dyn Fn(&mut SignatureConfig)| match judged(change) {
        Err(SignatureRefusal::OpenPgp(PgpRefusal::Malformed(why))) => why,
        other => panic!("{other:?}"),
    };
    let notation = || {
        SubpacketData::Notation(pgp::packet::Notation {
            readable: true,
            name: "terms@example.com".into(),
            value: "not for production".into(),
        })
    };
    let critical = |data| Subpacket::critical(data).expect("a small part");
    assert!(judged(&|config| config.hashed_subpackets.push(Subpacket::regular(notation()).expect("small"))).is_ok());
    assert!(malformed(&|config| config.hashed_subpackets.push(critical(notation()))).contains("not understood"));
    let experimental = || SubpacketData::Experimental(101, vec![1].into());
    assert!(malformed(&|config| config.hashed_subpackets.push(critical(experimental()))).contains("not understood"));
    // Whose it is, said twice, or where nothing signs it as well.
    let issuer = || Subpacket::regular(SubpacketData::IssuerFingerprint(primary.fingerprint())).expect("small");
    assert!(malformed(&|config| config.hashed_subpackets.push(issuer())).contains("by one whole fingerprint"));
    assert!(malformed(&|config| config.unhashed_subpackets.push(issuer())).contains("by one whole fingerprint"));
    assert!(malformed(&|config| drop(config.hashed_subpackets.remove(0))).contains("does not say when"));
    let created = primary.created_at().as_secs();
    let at = |second| {
        Subpacket::regular(SubpacketData::SignatureCreationTime(pgp::types::Timestamp::from_secs(second)))
            .expect("a small part")
    };
    assert!(judged(&|config| config.hashed_subpackets[0] = at(created)).is_ok());
    assert!(malformed(&|config| config.hashed_subpackets[0] = at(created - 1)).contains("older than the key"));
    // Other versions of the format.
    let raw = gpg.dearmor(&gpg.sign(&key, &[]));
    assert_eq!(raw[2], 4, "a short header, and then the version");
    for version in [2, 3, 5, 6] {
        let other = [&raw[..2], &[version], &raw[3..]].concat();
        let refused = judge(&gpg, &key, &gpg.enarmor(&other), NOW);
        assert!(
            matches!(refused, Err(SignatureRefusal::OpenPgp(PgpRefusal::Malformed(_)))),
            "version {version}: {refused:?}"
        );
    }
}

#[test]
fn a_key_that_vouches_for_itself_by_no_name_or_in_terms_not_understood_is_no_use() {
    let gpg = Gpg::new();
    let key = gpg.key("Alice <alice@example.com>", "ed25519", "sign", "never");
    let secret = Secret::of(&gpg, &key);
    let (primary, fingerprint) = (&secret.0.primary_key, key.parse().expect("a fingerprint"));
    let mut may_sign = KeyFlags::default();
    may_sign.set_sign(true);
    let file = |signature: Option<pgp::packet::Signature>| {
        let mut file = Vec::new();
        primary.public_key().to_writer_with_header(&mut file).expect("memory");
        signature.into_iter().for_each(|signature| signature.to_writer_with_header(&mut file).expect("memory"));
        Certificate::read(&file, &fingerprint)
    };
    let directly = |change: &dyn Fn(&mut SignatureConfig)| {
        let mut config = config(SignatureType::Key, primary, Some(may_sign.clone()));
        change(&mut config);
        config.sign_key(primary, &Password::empty(), primary.public_key()).expect("an unlocked key")
    };
    assert_eq!(file(None).err(), Some(InvalidCertificate::Unfit("has not signed itself")));
    assert!(file(Some(directly(&|_| ()))).is_ok(), "a key without a name can still say what it is for");
    let beyond = |config: &mut SignatureConfig| {
        let part = SubpacketData::Experimental(101, vec![1].into());
        config.hashed_subpackets.push(Subpacket::critical(part).expect("a small part"));
    };
    assert!(matches!(file(Some(directly(&beyond))), Err(InvalidCertificate::Unfit(_))));
}
