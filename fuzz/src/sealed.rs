//! Pointers, manifests, trust roots and states of rollouts: sealed bytes under the golden key, and payloads under a key of our own.

use std::fmt::Debug;
use std::sync::LazyLock;

use bytes::Bytes;
use schema::keys::SecretKey;
use schema::seal::Document;
use schema::{Limits, Manifest, Pointer, PublicKey, RoleKeys, Rollout, TrustRoot, Verified};

const LIMITS: Limits = Limits::DEFAULT;
const GOLDEN_ROOT_FILE: &[u8] = include_bytes!("../../schema/golden/root");

/// The key of the golden files. Its secret half was thrown away, so nothing but them can hold under it.
pub(crate) static GOLDEN_KEY: LazyLock<PublicKey> =
    LazyLock::new(|| PublicKey::from_file_text(include_str!("../../schema/golden/key.pub")).expect("the golden key"));

static GOLDEN_ROLE: LazyLock<RoleKeys> = LazyLock::new(|| role(&GOLDEN_KEY));
static GOLDEN_WAVE_ROLE: LazyLock<RoleKeys> = LazyLock::new(|| {
    let key = PublicKey::from_file_text(include_str!("../../schema/golden/wave/key.pub"));
    role(&key.expect("the golden key of rollouts"))
});
static GOLDEN_ROOT: LazyLock<Verified<TrustRoot>> =
    LazyLock::new(|| Verified::pin(Bytes::from_static(GOLDEN_ROOT_FILE), &LIMITS).expect("the golden root"));
static OUR_KEY: LazyLock<SecretKey> = LazyLock::new(SecretKey::generate);

/// The target `pointer`.
pub fn pointer(bytes: &[u8]) {
    check::<Pointer>(bytes, include_bytes!("../../schema/golden/pointer"));
}

/// The target `manifest`.
pub fn manifest(bytes: &[u8]) {
    check::<Manifest>(bytes, include_bytes!("../../schema/golden/manifest"));
}

/// The target `rollout`.
pub fn rollout(bytes: &[u8]) {
    check_under::<Rollout>(bytes, include_bytes!("../../schema/golden/wave/rollout"), &GOLDEN_WAVE_ROLE);
}

/// The target `root`. A pinned root is parsed before its signatures are known to hold, so this goes deepest.
pub fn root(bytes: &[u8]) {
    check::<TrustRoot>(bytes, GOLDEN_ROOT_FILE);
    if let Ok(pinned) = Verified::<TrustRoot>::pin(Bytes::copy_from_slice(bytes), &LIMITS) {
        for role in
            [&pinned.root, &pinned.release, &pinned.pointer].into_iter().chain(pinned.pointer_of_region.values())
        {
            assert!((1..=role.keys().len()).contains(&role.threshold()));
        }
        assert!(pinned.version > 0 && pinned.expires > pinned.issued);
    }
    assert!(GOLDEN_ROOT.successor(Bytes::copy_from_slice(bytes), &LIMITS).is_err(), "nobody can sign the next root");
}

/// Whatever opens under the golden key is the golden document; whatever parses survives being sealed.
fn check<T: Document + Clone + PartialEq + Debug>(bytes: &[u8], golden: &'static [u8]) {
    check_under::<T>(bytes, golden, &GOLDEN_ROLE);
}

fn check_under<T: Document + Clone + PartialEq + Debug>(bytes: &[u8], golden: &'static [u8], signer: &RoleKeys) {
    let golden_payload = golden.split_inclusive(|byte| *byte == b'\n').next().expect("a payload line");
    if let Ok(opened) = Verified::<T>::open(Bytes::copy_from_slice(bytes), signer, &LIMITS) {
        assert!(opened.bytes().starts_with(golden_payload), "opened as {:?}", *opened);
    }
    let payload = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Ok(document) = serde_json::from_slice::<T>(payload) else { return };
    if document.check().is_err() {
        return;
    }
    let sealed = Verified::seal(document.clone(), &[&OUR_KEY]);
    if sealed.bytes().len() as u64 > T::max_bytes(&LIMITS) {
        return;
    }
    let opened = Verified::<T>::open(sealed.bytes().clone(), &role(OUR_KEY.public()), &LIMITS);
    let opened = opened.expect("what we sealed opens");
    assert_eq!(*opened, document);
    assert_eq!(Verified::seal(document, &[&OUR_KEY]).payload_digest(), opened.payload_digest());
    assert!(Verified::<T>::open(sealed.bytes().clone(), signer, &LIMITS).is_err(), "not the golden key's");
}

fn role(key: &PublicKey) -> RoleKeys {
    RoleKeys::new(1, vec![key.clone()]).expect("one of one")
}
