//! SSH signatures: under a key whose secret nobody has, nothing but the one signature that was made with it passes.

use std::sync::LazyLock;

use publisher::signers::{Signed, SignerPolicy};
use schema::Timestamp;

const SIGNERS: &str = include_str!("../../golden/allowed_signers");
const COMMIT: &[u8] = include_bytes!("../../golden/commit");
const SIGNATURE: &[u8] = include_bytes!("../../golden/commit.sig");

static POLICY: LazyLock<SignerPolicy> = LazyLock::new(|| SignerPolicy::parse(SIGNERS).expect("the golden signers"));

/// The target `sshsig`.
pub fn check(armoured: &[u8]) {
    let signed = Signed { signature: Some(armoured), payload: COMMIT, committer: "alice@example.com" };
    let now: Timestamp = "2026-08-01T09:30:00.000Z".parse().expect("a time");
    match POLICY.judge(signed, now) {
        Ok(_) => assert!(letters(armoured) == letters(SIGNATURE), "a second signature by the golden key"),
        Err(refused) => assert!(armoured != SIGNATURE, "{refused:?}"),
    }
}

fn letters(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
}
