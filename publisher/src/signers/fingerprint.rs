//! The name of a key that nobody can choose: its whole fingerprint.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// `SHA256:` and 43 letters, as `ssh-keygen -l` shows it, or the 40 hex digits of an OpenPGP fingerprint, in upper case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyFingerprint(Box<str>);

/// Says that a text is not a whole fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is {wrong}", offered.escape_debug())]
pub struct InvalidFingerprint {
    offered: String,
    wrong: &'static str,
}

/// Letters after `SHA256:`, which is base64 of 32 bytes without padding.
const SSH_LETTERS: usize = 43;
/// Hex digits of an OpenPGP fingerprint of version 4.
const OPENPGP_DIGITS: usize = 40;

impl KeyFingerprint {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names an OpenPGP key.
    pub fn is_openpgp(&self) -> bool {
        !self.0.starts_with("SHA256:")
    }
}

impl FromStr for KeyFingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<KeyFingerprint, InvalidFingerprint> {
        let refused = |wrong| InvalidFingerprint { offered: text.chars().take(120).collect(), wrong };
        if let Some(letters) = text.strip_prefix("SHA256:") {
            let whole = letters.len() == SSH_LETTERS
                && letters.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
            return if whole {
                Ok(KeyFingerprint(text.into()))
            } else {
                Err(refused("not a whole fingerprint; copy it from `ssh-keygen -lf KEY.pub`"))
            };
        }
        // gpg shows it in groups of four.
        let digits: String = text.chars().filter(|letter| *letter != ' ').collect();
        let digits = digits.strip_prefix("0x").unwrap_or(&digits);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refused(
                "no fingerprint; write `SHA256:…` of an SSH key, or the 40 hex digits of an OpenPGP key",
            ));
        }
        match digits.len() {
            OPENPGP_DIGITS => Ok(KeyFingerprint(digits.to_ascii_uppercase().into())),
            fewer if fewer < OPENPGP_DIGITS => {
                Err(refused("a short id, which anybody can make a key for; write all 40 digits (`gpg --fingerprint`)"))
            }
            _ => Err(refused("longer than 40 digits; only OpenPGP keys of version 4 are supported")),
        }
    }
}

impl TryFrom<String> for KeyFingerprint {
    type Error = InvalidFingerprint;

    fn try_from(text: String) -> Result<KeyFingerprint, InvalidFingerprint> {
        text.parse()
    }
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_fingerprints_are_read_and_short_ids_are_not() {
        let ssh = format!("SHA256:{}", "aB3+".repeat(11).get(..43).expect("44 letters"));
        assert_eq!(ssh.parse::<KeyFingerprint>().map(|key| key.to_string()), Ok(ssh));
        let spaced = "0123 4567 89ab cdef 0123  4567 89AB CDEF 0123 4567";
        let read = spaced.parse::<KeyFingerprint>().expect("as gpg shows it");
        assert_eq!(read.as_str(), "0123456789ABCDEF0123456789ABCDEF01234567");
        for short in ["89ABCDEF", "0x89ABCDEF", "0123456789ABCDEF", &"A".repeat(39)] {
            let refused = short.parse::<KeyFingerprint>().expect_err(short).to_string();
            assert!(refused.contains("short id"), "{refused}");
        }
        for bad in ["", "SHA256:", "SHA256:abc", "MD5:00:11", "alice", &"A".repeat(64), "\u{1b}[2J"] {
            assert!(bad.parse::<KeyFingerprint>().is_err(), "{bad:?}");
        }
    }
}
