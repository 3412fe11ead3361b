//! minisign keys, and the key sets that roles are made of.

use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Hasher as Sha256};

#[cfg(feature = "sign")]
mod secret;

#[cfg(feature = "sign")]
pub use secret::{InvalidSecretKey, SecretKey};

/// A minisign public key, spelled as the second line of a stock `minisign.pub` file.
///
/// Two keys are equal when their Ed25519 points are: a key id is eight bytes that anybody can choose, so it tells nothing.
#[derive(Clone)]
pub struct PublicKey {
    point: [u8; 32],
    text: Box<str>,
    minisign: minisign_verify::PublicKey,
}

impl PublicKey {
    /// Reads a key file as the stock tool writes it (a comment line, then the key), or the bare key line.
    ///
    /// # Errors
    /// [`InvalidPublicKey`] where no line is a key.
    pub fn from_file_text(text: &str) -> Result<PublicKey, InvalidPublicKey> {
        let key = text.lines().find(|line| !line.starts_with("untrusted comment:")).unwrap_or_default();
        key.trim_end().parse()
    }

    /// The key as the stock tool stores it, for writing `*.pub` files.
    pub fn to_file_text(&self) -> String {
        format!("untrusted comment: minisign public key\n{}\n", self.text)
    }

    /// What names this key in a path, whatever its key id says.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&Digest::of(&self.point))
    }

    pub(crate) fn minisign(&self) -> &minisign_verify::PublicKey {
        &self.minisign
    }
}

/// Says that a text is not a minisign public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a minisign public key (56 characters that start with RW)", .0.escape_debug())]
pub struct InvalidPublicKey(String);

impl FromStr for PublicKey {
    type Err = InvalidPublicKey;

    fn from_str(text: &str) -> Result<Self, InvalidPublicKey> {
        let refuse = || InvalidPublicKey(text.chars().take(80).collect());
        let bytes = STANDARD.decode(text).map_err(|_| refuse())?;
        if bytes.len() != ALGORITHM.len() + KEY_ID_LEN + 32 || !bytes.starts_with(ALGORITHM) {
            return Err(refuse());
        }
        let minisign = minisign_verify::PublicKey::from_base64(text).map_err(|_| refuse())?;
        let mut point = [0; 32];
        point.copy_from_slice(&bytes[ALGORITHM.len() + KEY_ID_LEN..]);
        Ok(PublicKey { point, text: text.into(), minisign })
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &PublicKey) -> bool {
        self.point == other.point
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.point.hash(state);
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Sixteen hexadecimal digits that stand for a key, or for a role's keys and threshold, in a path.
///
/// Nothing is believed because of it: it only tells where to look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(Box<str>);

impl Fingerprint {
    fn of(digest: &Digest) -> Fingerprint {
        Fingerprint(digest.to_string()[..FINGERPRINT_LEN].into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Says that a text is not a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a fingerprint of sixteen hexadecimal digits", .0.escape_debug())]
pub struct InvalidFingerprint(String);

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == FINGERPRINT_LEN && text.bytes().all(is_hex) {
            Ok(Fingerprint(text.into()))
        } else {
            Err(InvalidFingerprint(text.chars().take(80).collect()))
        }
    }
}

/// The keys of one role and how many distinct ones must sign.
///
/// Built only with a threshold between one and the number of keys, and no key twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRoleKeys")]
pub struct RoleKeys {
    threshold: usize,
    keys: Vec<PublicKey>,
}

impl RoleKeys {
    /// Makes a role of `keys`, `threshold` of which must sign.
    ///
    /// # Errors
    /// [`InvalidRole`] for a threshold of zero or above the number of keys, a key listed twice, or more than 64 keys.
    pub fn new(threshold: usize, keys: Vec<PublicKey>) -> Result<RoleKeys, InvalidRole> {
        if keys.len() > KEYS_MAX {
            return Err(InvalidRole::TooManyKeys(keys.len()));
        }
        if let Some(twice) = first_repeated(&keys) {
            return Err(InvalidRole::RepeatedKey(twice.clone()));
        }
        if threshold == 0 || threshold > keys.len() {
            return Err(InvalidRole::Threshold { threshold, keys: keys.len() });
        }
        Ok(RoleKeys { threshold, keys })
    }

    /// How many distinct keys must sign; at least one.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The keys, each once.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// What names this set of keys and its threshold in a path; the order of the keys does not matter.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut points: Vec<&[u8; 32]> = self.keys.iter().map(|key| &key.point).collect();
        points.sort_unstable();
        let mut hasher = Sha256::default();
        hasher.update(&(self.threshold as u64).to_be_bytes());
        points.into_iter().for_each(|point| hasher.update(point));
        Fingerprint::of(&hasher.finish())
    }
}

/// Says why a key set and a threshold make no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRole {
    /// Zero, or more than there are keys.
    #[error("a threshold of {threshold} cannot be met by {keys} keys and must be at least one")]
    Threshold {
        /// As offered.
        threshold: usize,
        /// How many keys there are.
        keys: usize,
    },
    /// The same point twice, whatever the key ids say.
    #[error("key {0} is listed twice")]
    RepeatedKey(PublicKey),
    /// More keys than anyone can want.
    #[error("{0} keys are more than 64")]
    TooManyKeys(usize),
}

#[derive(Deserialize)]
struct RawRoleKeys {
    threshold: usize,
    keys: Vec<PublicKey>,
}

impl TryFrom<RawRoleKeys> for RoleKeys {
    type Error = InvalidRole;

    fn try_from(raw: RawRoleKeys) -> Result<Self, InvalidRole> {
        RoleKeys::new(raw.threshold, raw.keys)
    }
}

fn first_repeated(keys: &[PublicKey]) -> Option<&PublicKey> {
    let mut met = HashSet::new();
    keys.iter().find(|key| !met.insert(*key))
}

const ALGORITHM: &[u8] = b"Ed";
const KEY_ID_LEN: usize = 8;
const KEYS_MAX: usize = 64;
const FINGERPRINT_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const OTHER: &str = "RWSGYR0e5n/OHv50LeI57XhjO4AX2nJst7sHYX5hc3E4dZxbhY8tsQZM";

    /// The same point under another key id.
    fn renamed(key: &str) -> PublicKey {
        let mut bytes = STANDARD.decode(key).expect("base64");
        bytes[2] ^= 0xff;
        STANDARD.encode(bytes).parse().expect("still a key")
    }

    #[test]
    fn a_key_is_its_point_and_not_its_id() {
        let key: PublicKey = KEY.parse().expect("a key");
        assert_eq!(key, renamed(KEY));
        assert_eq!(RoleKeys::new(1, vec![key.clone(), renamed(KEY)]), Err(InvalidRole::RepeatedKey(renamed(KEY))));
    }

    #[test]
    fn a_threshold_is_met_by_its_keys_and_never_zero() {
        let key: PublicKey = KEY.parse().expect("a key");
        assert!(RoleKeys::new(0, vec![key.clone()]).is_err());
        assert!(RoleKeys::new(2, vec![key.clone()]).is_err());
        assert!(RoleKeys::new(0, Vec::new()).is_err());
        assert!(RoleKeys::new(1, vec![key]).is_ok());
        for json in [r#"{"threshold":0,"keys":[]}"#, r#"{"threshold":-1,"keys":[]}"#, r#"{"keys":[]}"#] {
            assert!(serde_json::from_str::<RoleKeys>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn key_files_of_the_stock_tool_are_read() {
        let file = format!("untrusted comment: minisign public key E7620F1842B4E81F\n{KEY}\n");
        assert_eq!(PublicKey::from_file_text(&file).map(|key| key.to_string()), Ok(KEY.to_owned()));
        assert!(PublicKey::from_file_text("untrusted comment: nothing\n").is_err());
        assert!("RWQf".parse::<PublicKey>().is_err());
    }

    #[test]
    fn a_role_is_named_by_its_points_and_threshold_alone() {
        let (one, two): (PublicKey, PublicKey) = (KEY.parse().expect("a key"), OTHER.parse().expect("a key"));
        let role = |threshold, keys: &[&PublicKey]| {
            RoleKeys::new(threshold, keys.iter().map(|key| (*key).clone()).collect()).expect("a role").fingerprint()
        };
        assert_eq!(role(1, &[&one, &two]), role(1, &[&two, &renamed(KEY)]));
        assert_ne!(role(1, &[&one, &two]), role(2, &[&one, &two]));
        assert_ne!(role(1, &[&one]), role(1, &[&two]));
        assert_eq!(one.fingerprint().to_string().parse(), Ok(one.fingerprint()));
        assert!("0123456789ABCDEF".parse::<Fingerprint>().is_err());
    }
}
