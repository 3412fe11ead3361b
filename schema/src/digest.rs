//! What names things by their content: sha256 digests, and git's ids as provenance.

use std::fmt;
use std::str::FromStr;

use ring::digest::{Context, SHA256, digest};
use serde::{Deserialize, Serialize};

/// A sha256, written as 64 lower-case hex digits.
///
/// Identity everywhere: of a bundle (over its uncompressed archive), of a sealed document (over its payload line with
/// the newline), of a compressed object (over its bytes).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest::from(digest(&SHA256, bytes))
    }

    /// The first twelve hex digits, for people; never compared.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }

    /// Its first eight bytes as a number: evenly spread, for drawing lots that anyone can draw again.
    pub fn lot(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl From<ring::digest::Digest> for Digest {
    fn from(sha256: ring::digest::Digest) -> Digest {
        Digest(sha256.as_ref().try_into().expect("a sha256 has 32 bytes"))
    }
}

/// Hashes bytes as they stream past. A clone goes on from where the original was.
#[derive(Clone)]
pub struct Hasher(Context);

impl Default for Hasher {
    fn default() -> Hasher {
        Hasher(Context::new(&SHA256))
    }
}

impl Hasher {
    /// Adds `bytes` to what was hashed.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Ends the stream and gives its digest.
    pub fn finish(self) -> Digest {
        Digest::from(self.0.finish())
    }
}

/// Says that a text is not the hex of an identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {expected}", offered.escape_debug())]
pub struct InvalidHex {
    offered: String,
    expected: &'static str,
}

impl FromStr for Digest {
    type Err = InvalidHex;

    fn from_str(text: &str) -> Result<Self, InvalidHex> {
        let mut bytes = [0; 32];
        if is_lower_hex(text) && hex::decode_to_slice(text, &mut bytes).is_ok() {
            Ok(Digest(bytes))
        } else {
            Err(InvalidHex {
                offered: text.chars().take(80).collect(),
                expected: "a sha256 in 64 lower-case hex digits",
            })
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidHex;

    fn try_from(text: String) -> Result<Self, InvalidHex> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        hex::encode(digest.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

macro_rules! git_id {
    ($(#[$doc:meta])* $type:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Box<str>);

        impl $type {
            /// The full hex id.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The first ten hex digits, for people; never compared.
            pub fn short(&self) -> &str {
                &self.0[..10]
            }
        }

        impl FromStr for $type {
            type Err = InvalidHex;

            fn from_str(text: &str) -> Result<Self, InvalidHex> {
                if matches!(text.len(), 40 | 64) && is_lower_hex(text) {
                    Ok($type(text.into()))
                } else {
                    Err(InvalidHex { offered: text.chars().take(80).collect(), expected: $expected })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidHex;

            fn try_from(text: String) -> Result<Self, InvalidHex> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(id: $type) -> String {
                id.0.into()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

git_id! {
    /// Id of a git commit, sha1 or sha256 in lower-case hex. Provenance only: nothing is trusted because of it.
    CommitId, "a git commit id in 40 or 64 lower-case hex digits"
}
git_id! {
    /// Id of a git tree, sha1 or sha256 in lower-case hex. Provenance only: nothing is trusted because of it.
    TreeId, "a git tree id in 40 or 64 lower-case hex digits"
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_is_its_lower_case_hex() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse(), Ok(Digest::of(b"")));
        assert_eq!(Hasher::default().finish(), Digest::of(b""));
        assert!(EMPTY.to_uppercase().parse::<Digest>().is_err());
        assert!(EMPTY[1..].parse::<Digest>().is_err());
    }

    #[test]
    fn a_digest_is_the_sha256_that_others_find_however_it_is_fed() {
        use sha2::Digest as _;
        let bytes: Vec<u8> = (0..5000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for length in (0..200).chain([1000, 4095, 4096, 4999, 5000]) {
            let theirs = hex::encode(sha2::Sha256::digest(&bytes[..length]));
            assert_eq!(Digest::of(&bytes[..length]).to_string(), theirs, "{length}");
            let (begun, rest) = bytes[..length].split_at(length / 3);
            let mut hasher = Hasher::default();
            hasher.update(begun);
            let mut clone = hasher.clone();
            hasher.update(b"something else");
            clone.update(rest);
            assert_eq!(clone.finish().to_string(), theirs, "{length}");
        }
    }

    #[test]
    fn a_git_id_has_forty_or_sixty_four_digits() {
        assert!("a".repeat(40).parse::<CommitId>().is_ok());
        assert!("a".repeat(64).parse::<TreeId>().is_ok());
        assert!("a".repeat(41).parse::<CommitId>().is_err());
        assert!("HEAD".parse::<CommitId>().is_err());
    }
}
