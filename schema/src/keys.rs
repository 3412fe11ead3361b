//! minisign keys, and the key sets that roles are made of.

use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

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

#[cfg(feature = "sign")]
pub use signing::{InvalidSecretKey, SecretKey};

#[cfg(feature = "sign")]
mod signing {
    use super::{PublicKey, fmt};

    /// A minisign secret key without a password, able to sign.
    pub struct SecretKey {
        minisign: minisign::SecretKey,
        public: PublicKey,
    }

    impl SecretKey {
        /// Makes a fresh key from the system's randomness.
        pub fn generate() -> SecretKey {
            let pair = minisign::KeyPair::generate_unencrypted_keypair().expect("the system has randomness");
            SecretKey::with_public(pair.sk).expect("a fresh key has a public half")
        }

        /// Reads an unencrypted key file, as [`SecretKey::to_file_text`] writes it.
        ///
        /// # Errors
        /// [`InvalidSecretKey`] for anything else, a password-protected key included; the message never holds key bytes.
        pub fn from_file_text(text: &str) -> Result<SecretKey, InvalidSecretKey> {
            let boxed = minisign::SecretKeyBox::from_string(text).map_err(|_| InvalidSecretKey)?;
            let minisign = boxed.into_unencrypted_secret_key().map_err(|_| InvalidSecretKey)?;
            SecretKey::with_public(minisign)
        }

        /// The key in the stock file format. Secret: for a file only its owner can read.
        pub fn to_file_text(&self) -> String {
            let comment = Some("driftless secret key, not encrypted");
            self.minisign.to_box(comment).expect("an unencrypted key has a file form").into_string()
        }

        /// The public half.
        pub fn public(&self) -> &PublicKey {
            &self.public
        }

        pub(crate) fn minisign(&self) -> &minisign::SecretKey {
            &self.minisign
        }

        fn with_public(minisign: minisign::SecretKey) -> Result<SecretKey, InvalidSecretKey> {
            let public = minisign::PublicKey::from_secret_key(&minisign).map_err(|_| InvalidSecretKey)?;
            let public = public.to_base64().parse().map_err(|_| InvalidSecretKey)?;
            Ok(SecretKey { minisign, public })
        }
    }

    impl fmt::Debug for SecretKey {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "SecretKey(of {})", self.public)
        }
    }

    /// Says that a text is not an unencrypted minisign secret key.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
    #[error("not an unencrypted minisign secret key as `driftless init` writes it")]
    pub struct InvalidSecretKey;
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

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

    #[cfg(feature = "sign")]
    #[test]
    fn a_secret_key_survives_its_file_and_hides_from_debug() {
        let key = SecretKey::generate();
        let read = SecretKey::from_file_text(&key.to_file_text()).expect("our own file");
        assert_eq!(read.public(), key.public());
        assert_eq!(format!("{key:?}"), format!("SecretKey(of {})", key.public()));
        assert!(SecretKey::from_file_text("nonsense").is_err());
    }
}
