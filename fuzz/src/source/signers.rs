//! The `allowed_signers` file: no line is skipped, and a policy that is accepted admits somebody.

use publisher::signers::{SignerPolicy, allowed};

/// The target `signers`.
pub fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(signers) = allowed::parse(text) else {
        assert!(SignerPolicy::parse(text).is_err());
        return;
    };
    let lines = text.lines().map(|line| line.trim_matches([' ', '\t']));
    let written: Vec<usize> = lines
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(at, _)| at + 1)
        .collect();
    assert_eq!(signers.iter().map(|signer| signer.line).collect::<Vec<_>>(), written, "a line was skipped");
    assert!(!signers.is_empty());
    assert!(SignerPolicy::parse(text).is_ok());
}
