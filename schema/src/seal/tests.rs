use bytes::Bytes;

use super::{SealError, Verified};
use crate::keys::{PublicKey, RoleKeys};
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::pointer::Pointer;
use crate::root::TrustRoot;

const POINTER: &str = include_str!("../../golden/pointer");
const MANIFEST: &str = include_str!("../../golden/manifest");
const KEY: &str = include_str!("../../golden/key.pub");

fn role() -> RoleKeys {
    RoleKeys::new(1, vec![PublicKey::from_file_text(KEY).expect("the golden key")]).expect("one of one")
}

fn open(text: &str) -> Result<Verified<Pointer>, SealError> {
    Verified::open(Bytes::copy_from_slice(text.as_bytes()), &role(), &Limits::DEFAULT)
}

#[test]
fn a02_a_removed_empty_or_foreign_signature_is_refused() {
    let (payload, seal) = POINTER.split_once('\n').expect("a payload line");
    let other_seal = MANIFEST.split_once('\n').expect("a payload line").1;
    assert!(matches!(open(&format!("{payload}\n")), Err(SealError::SignerCount { found: 0, .. })));
    assert!(matches!(open(payload), Err(SealError::NoPayloadLine)));
    assert!(matches!(open(&format!("{payload}\n{other_seal}")), Err(SealError::Threshold { signed: 0, .. })));
    assert!(matches!(open(&format!("{{}}\n{seal}")), Err(SealError::Threshold { signed: 0, .. })));
}

#[test]
fn a10_one_kind_of_document_never_passes_for_another() {
    assert!(matches!(open(MANIFEST), Err(SealError::Document(_))), "a manifest is no pointer");
    let bytes = Bytes::from_static(POINTER.as_bytes());
    assert!(matches!(
        Verified::<Manifest>::open(bytes.clone(), &role(), &Limits::DEFAULT),
        Err(SealError::Document(_))
    ));
    assert!(matches!(Verified::<TrustRoot>::open(bytes, &role(), &Limits::DEFAULT), Err(SealError::Document(_))));
}

#[test]
fn a24_a_signature_has_one_spelling() {
    let edits: [(&str, &str); 9] = [
        ("\nuntrusted comment: signature", "\nuntrusted comment: Signature"),
        ("\nuntrusted comment: signature", "\n untrusted comment: signature"),
        ("\ntrusted comment: ", "\ntrusted comment:  "),
        ("\ntrusted comment: ", "\ntrusted comment: x "),
        ("secret key\n", "secret key\r\n"),
        ("secret key\n", "secret key \n"),
        ("==\n", "=\n"),
        ("==\n", "==\n\n"),
        ("==\n", "=="),
    ];
    for (from, to) in edits {
        let edited = POINTER.replacen(from, to, 1);
        assert_ne!(edited, POINTER, "{from:?} is in the file");
        assert!(open(&edited).is_err(), "{from:?} -> {to:?}");
    }
    assert!(open(&format!("{POINTER}# a note\n")).is_err(), "trailing lines");
    assert!(open(&POINTER.replace('\n', "\r\n")).is_err(), "other line ends");
}

#[test]
fn a05_an_oversized_file_is_refused_before_anything_is_looked_at() {
    let endless = "x".repeat(17 * 1024);
    assert!(matches!(open(&endless), Err(SealError::TooLarge { max_bytes: 16384 })));
}

#[cfg(feature = "sign")]
mod signed {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::SecretKey;

    fn pointer() -> Pointer {
        (*open(POINTER).expect("the golden pointer")).clone()
    }

    fn role_of(threshold: usize, keys: &[&SecretKey]) -> RoleKeys {
        RoleKeys::new(threshold, keys.iter().map(|key| key.public().clone()).collect()).expect("a role")
    }

    #[test]
    fn a19_distinct_keys_are_counted_and_never_signatures() {
        let (one, two, stranger) = (SecretKey::generate(), SecretKey::generate(), SecretKey::generate());
        let role = role_of(2, &[&one, &two]);
        let verdict = |keys: &[&SecretKey]| {
            let sealed = Verified::seal(pointer(), keys);
            Verified::<Pointer>::open(sealed.bytes().clone(), &role, &Limits::DEFAULT).map(|_| ())
        };
        assert!(verdict(&[&one, &two]).is_ok());
        assert!(verdict(&[&stranger, &one, &two]).is_ok(), "signatures by others are passed over");
        assert!(matches!(verdict(&[&one, &one]), Err(SealError::Threshold { signed: 1, threshold: 2 })));
        assert!(matches!(verdict(&[&one, &stranger]), Err(SealError::Threshold { signed: 1, threshold: 2 })));
    }

    #[test]
    fn a08_a_signature_made_for_another_payload_is_told_apart_by_its_comment() {
        let key = SecretKey::generate();
        let sealed = Verified::seal(pointer(), &[&key]);
        let payload = sealed.bytes().split(|byte| *byte == b'\n').next().map(<[u8]>::to_vec).expect("a line");
        let mut line = payload.clone();
        line.push(b'\n');
        let forged = minisign::sign(
            None,
            key.minisign(),
            &line[..],
            Some("pointer edge-proxy us-east e1 g1 s1 0"),
            Some("signature from minisign secret key"),
        );
        let forged = [line, forged.expect("signs").to_string().into_bytes()].concat();
        let verdict = Verified::<Pointer>::open(Bytes::from(forged), &role_of(1, &[&key]), &Limits::DEFAULT);
        assert!(matches!(verdict, Err(SealError::Comment { .. })));
    }

    #[test]
    fn sealing_twice_gives_the_same_payload() {
        let key = SecretKey::generate();
        let (once, twice) = (Verified::seal(pointer(), &[&key]), Verified::seal(pointer(), &[&key]));
        assert_eq!(once.payload_digest(), twice.payload_digest());
    }

    proptest! {
        #[test]
        fn any_mutated_byte_is_refused(at in 0..POINTER.len(), flip in 1u8..=255) {
            let mut bytes = POINTER.as_bytes().to_vec();
            bytes[at] ^= flip;
            prop_assert!(Verified::<Pointer>::open(Bytes::from(bytes), &role(), &Limits::DEFAULT).is_err());
        }

        #[test]
        fn any_truncation_is_refused(keep in 0..POINTER.len()) {
            prop_assert!(open(&POINTER[..keep]).is_err());
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(Verified::<Pointer>::open(Bytes::from(bytes), &role(), &Limits::DEFAULT).is_err());
        }

        #[test]
        fn what_is_sealed_is_what_is_read(generation in 1u64.., share in 0u16..=10_000, spread in 0u32..) {
            let key = SecretKey::generate();
            let mut document = pointer();
            document.generation = crate::Generation::new(generation);
            if let Some(candidate) = &mut document.candidate {
                (candidate.slice.share, candidate.spread_s) = (share, spread);
            }
            let sealed = Verified::seal(document.clone(), &[&key]);
            let read = Verified::<Pointer>::open(sealed.bytes().clone(), &role_of(1, &[&key]), &Limits::DEFAULT);
            prop_assert_eq!(&*read.expect("our own seal"), &document);
        }
    }
}
