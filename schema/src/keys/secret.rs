//! minisign secret keys: made, read from their files, unlocked, and wiped.
//!
//! In: the text of a key file and, where it is protected, its password. Out: a [`SecretKey`] that can sign, or why not. No
//! message, no `Debug` and no error holds a byte of a key or of a password.

use std::fmt;
use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::PublicKey;

/// A minisign secret key that is able to sign. What it keeps in memory is overwritten when it goes.
pub struct SecretKey {
    minisign: Box<minisign::SecretKey>,
    public: PublicKey,
}

impl SecretKey {
    /// Makes a fresh key from the system's randomness.
    pub fn generate() -> SecretKey {
        let pair = minisign::KeyPair::generate_unencrypted_keypair().expect("the system has randomness");
        SecretKey::checked(pair.sk).expect("a fresh key signs")
    }

    /// Makes a fresh key and gives back its file, protected by `password` in the stock format, and its public half. Slow
    /// on purpose: that is what makes guessing passwords slow.
    pub fn generate_protected(password: &str) -> (Zeroizing<String>, PublicKey) {
        let pair = minisign::KeyPair::generate_encrypted_keypair(Some(password.to_owned()));
        let minisign::KeyPair { pk, sk } = pair.expect("the system has randomness");
        let text = sk.to_box(None).expect("a protected key has a file form").into_string();
        (Zeroizing::new(text), pk.to_base64().parse().expect("a fresh key has a public half"))
    }

    /// Reads a key file without a password: our own, or one that the stock tool made with `-W`.
    ///
    /// # Errors
    /// [`InvalidSecretKey::Protected`] where it has a password, [`InvalidSecretKey::Malformed`] for anything else.
    pub fn from_file_text(text: &str) -> Result<SecretKey, InvalidSecretKey> {
        let bytes = decode(text)?;
        match &bytes[KDF] {
            // The stock tool leaves the checksum of such a key zero, hence no look at it: `checked` tells a damaged one.
            [0, 0] => {
                let minisign = minisign::SecretKey::from_bytes(&bytes).map_err(|_| InvalidSecretKey::Malformed)?;
                SecretKey::checked(minisign)
            }
            b"Sc" => Err(InvalidSecretKey::Protected),
            _ => Err(InvalidSecretKey::Malformed),
        }
    }

    /// Reads a key file that is protected by `password`, as the stock tool and [`SecretKey::generate_protected`] make it.
    ///
    /// # Errors
    /// [`InvalidSecretKey::WrongPassword`], or [`InvalidSecretKey::Malformed`] where it is no protected key.
    pub fn unlock(text: &str, password: &str) -> Result<SecretKey, InvalidSecretKey> {
        if &decode(text)?[KDF] != b"Sc" {
            return Err(InvalidSecretKey::Malformed);
        }
        let boxed = minisign::SecretKeyBox::from_string(text).map_err(|_| InvalidSecretKey::Malformed)?;
        let minisign = boxed.into_secret_key(Some(password.to_owned())).map_err(|_| InvalidSecretKey::WrongPassword)?;
        SecretKey::checked(minisign)
    }

    /// The key in the stock file format, without a password. Secret: for a file only its owner can read.
    pub fn to_file_text(&self) -> Zeroizing<String> {
        let comment = Some("driftless secret key, not encrypted");
        Zeroizing::new(self.minisign.to_box(comment).expect("a key has a file form").into_string())
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn minisign(&self) -> &minisign::SecretKey {
        &self.minisign
    }

    /// Takes a key that signs what its own public half verifies.
    fn checked(minisign: minisign::SecretKey) -> Result<SecretKey, InvalidSecretKey> {
        let malformed = |_| InvalidSecretKey::Malformed;
        let minisign = Box::new(minisign);
        let public = minisign::PublicKey::from_secret_key(&minisign).map_err(malformed)?;
        let public: PublicKey = public.to_base64().parse().map_err(|_| InvalidSecretKey::Malformed)?;
        let probe = minisign::sign(None, &minisign, PROBE, None, None).map_err(malformed)?.to_string();
        let probe = minisign_verify::Signature::decode(&probe).map_err(|_| InvalidSecretKey::Malformed)?;
        public.minisign().verify(PROBE, &probe, false).map_err(|_| InvalidSecretKey::Malformed)?;
        Ok(SecretKey { minisign, public })
    }
}

impl Drop for SecretKey {
    /// Writes zeros over the key. The library's own copies on the stack are out of reach, which is why programs that hold keys
    /// also keep out of core dumps.
    fn drop(&mut self) {
        if let Ok(zeros) = minisign::SecretKey::from_bytes(&[0; KEY_LEN]) {
            *self.minisign = zeros;
            black_box(&self.minisign);
        }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public)
    }
}

/// Says why a text is no secret key that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecretKey {
    /// Something else, or damaged.
    #[error("not a minisign secret key, or a damaged one")]
    Malformed,
    /// A password is needed and none was given.
    #[error("the key is protected by a password")]
    Protected,
    /// The password is another.
    #[error("the password does not open the key")]
    WrongPassword,
}

/// The bytes of the key line, the second of the file.
fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, InvalidSecretKey> {
    let line = text.lines().nth(1).ok_or(InvalidSecretKey::Malformed)?;
    let bytes = STANDARD.decode(line.trim_end()).map(Zeroizing::new).map_err(|_| InvalidSecretKey::Malformed)?;
    if bytes.len() == KEY_LEN && bytes.starts_with(b"Ed") { Ok(bytes) } else { Err(InvalidSecretKey::Malformed) }
}

/// Algorithm, key derivation, checksum algorithm, salt, two work factors, then key id, key and checksum.
const KEY_LEN: usize = 2 + 2 + 2 + 32 + 8 + 8 + (8 + 64 + 32);
/// Where the key derivation is named.
const KDF: std::ops::Range<usize> = 2..4;
const PROBE: &[u8] = b"driftless";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_key_survives_its_file_and_hides_from_debug() {
        let key = SecretKey::generate();
        let read = SecretKey::from_file_text(&key.to_file_text()).expect("our own file");
        assert_eq!(read.public(), key.public());
        assert_eq!(format!("{key:?}"), format!("SecretKey(of {})", key.public()));
        assert_eq!(SecretKey::from_file_text("nonsense").err(), Some(InvalidSecretKey::Malformed));
    }

    #[test]
    fn a_damaged_key_is_told_from_a_good_one() {
        let text = SecretKey::generate().to_file_text();
        let mut bytes = decode(&text).expect("our own file");
        bytes[70] ^= 1;
        let damaged = format!("untrusted comment: damaged\n{}\n", STANDARD.encode(&*bytes));
        assert_eq!(SecretKey::from_file_text(&damaged).err(), Some(InvalidSecretKey::Malformed));
    }

    #[test]
    fn a_protected_key_opens_with_its_password_alone() {
        let (text, public) = SecretKey::generate_protected("correct horse");
        assert_eq!(SecretKey::from_file_text(&text).err(), Some(InvalidSecretKey::Protected));
        assert_eq!(SecretKey::unlock(&text, "wrong").err(), Some(InvalidSecretKey::WrongPassword));
        assert_eq!(SecretKey::unlock(&text, "correct horse").expect("the password").public(), &public);
        let open = SecretKey::generate().to_file_text();
        assert_eq!(SecretKey::unlock(&open, "any").err(), Some(InvalidSecretKey::Malformed));
    }
}
