//! OpenPGP signatures: whatever passes under a key whose secret nobody has was made by that key.

use std::path::Path;
use std::sync::LazyLock;

use publisher::signers::{Signed, SignerPolicy};
use schema::Timestamp;

const COMMIT: &[u8] = include_bytes!("../../golden/commit");
const SIGNATURE: &[u8] = include_bytes!("../../golden/commit.asc");
const SIGNED_AT: &str = "2026-11-22T00:00:00.000Z";

static POLICY: LazyLock<SignerPolicy> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/policy.yaml");
    let policy = SignerPolicy::load(&path).expect("the golden policy");
    assert!(policy.judge(signed(SIGNATURE), now()).is_ok(), "the golden signature");
    policy
});

fn signed(armoured: &[u8]) -> Signed<'_> {
    Signed { signature: Some(armoured), payload: COMMIT, committer: "alice@example.com" }
}

fn now() -> Timestamp {
    SIGNED_AT.parse().expect("a time")
}

/// The target `openpgp`. The armour and what stands in it unsigned may be spelt otherwise, so what passes need not be
/// the golden signature letter for letter; but the two numbers that make it up must be those that the key made.
pub fn check(armoured: &[u8]) {
    let Ok(signer) = POLICY.judge(signed(armoured), now()) else { return };
    let golden = POLICY.judge(signed(SIGNATURE), now()).expect("judged good before");
    assert_eq!(signer, golden);
}
