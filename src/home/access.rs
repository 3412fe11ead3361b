//! The first operator's token, and the file that says whose tokens count.

use schema::Digest;
use ssh_key::rand_core::{OsRng, RngCore as _};
use zeroize::Zeroizing;

/// 256 bits that nobody can guess, in hex.
pub(super) fn fresh_token() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    OsRng.fill_bytes(&mut *bytes);
    Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A `control.yaml` with one operator.
pub(super) fn control_yaml(token: &str) -> String {
    let sha256 = Digest::of(token.as_bytes());
    format!(
        "# Whose tokens may look at rollouts and command them. A token stands here by its sha256 alone; the token itself is in a
# file of its owner's, like operator.token beside this one. For somebody else:
#   openssl rand -hex 32 > alice.token && tr -d '\\n' < alice.token | sha256sum
# The names go into the audit log. A change counts within seconds.
operators:
  operator: {{ token_sha256: {sha256} }}
# viewers:
#   ci: {{ token_sha256: ..., expires: 2030-01-01T00:00:00.000Z }}
"
    )
}
