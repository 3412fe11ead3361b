//! Commit objects: what we split off as signature and payload is what git splits off, and there is only one way to do so.

use publisher::proof::CommitObject;

/// The target `commit`.
pub fn check(raw: &[u8]) {
    let Ok(commit) = CommitObject::parse(raw) else { return };
    assert!(commit.parents.len() <= 64);
    let summary = commit.summary();
    assert!(!summary.chars().any(char::is_control), "{summary:?} can move the cursor");
    let signed = commit.signed();
    let (signature, payload) = split(raw);
    assert!(signed.payload == payload, "another payload");
    assert!(signed.signature.unwrap_or_default() == signature, "another signature");
    assert_eq!(signed.signature.is_none(), payload == raw, "without a signature all is payload");
}

/// As git does it, line by line and with no mind for what the lines mean: the lines of a header that starts with `gpgsig ` are
/// the signature, without the blank that each begins with, and all the others are the payload.
fn split(raw: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut signature, mut payload) = (Vec::new(), Vec::new());
    let (mut in_signature, mut in_message) = (false, false);
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        in_message |= line == b"\n";
        let first = line.strip_prefix(b"gpgsig ").filter(|_| !in_message);
        let continued = line.strip_prefix(b" ").filter(|_| in_signature && !in_message);
        in_signature = first.or(continued).is_some();
        match first.or(continued) {
            Some(rest) => signature.extend_from_slice(rest),
            None => payload.extend_from_slice(line),
        }
    }
    (signature, payload)
}
