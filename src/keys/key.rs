//! Keys as people name them: a file, the key itself, or its fingerprint; and secret keys in their files.

use std::path::{Path, PathBuf};

use publisher::ceremony::RoleName;
use schema::keys::{Fingerprint, InvalidSecretKey, SecretKey};
use schema::{PublicKey, TrustRoot};
use zeroize::Zeroizing;

use super::file;
use super::password::PasswordArgs;
use crate::exit::{Code, Failure};

/// A key as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyName {
    Key(PublicKey),
    Fingerprint(Fingerprint),
    File(PathBuf),
}

impl KeyName {
    pub(super) fn parse(text: &str) -> KeyName {
        match (text.parse(), text.parse()) {
            (Ok(key), _) => KeyName::Key(key),
            (_, Ok(fingerprint)) => KeyName::Fingerprint(fingerprint),
            _ => KeyName::File(text.into()),
        }
    }

    /// The key; a fingerprint stands only for a key that `root` has.
    pub(super) fn find(&self, root: Option<&TrustRoot>) -> Result<PublicKey, Failure> {
        match self {
            KeyName::Key(key) => Ok(key.clone()),
            KeyName::File(path) => public_half(path),
            KeyName::Fingerprint(fingerprint) => {
                let mut roles = root.into_iter().flat_map(RoleName::all_of);
                let key = roles.find_map(|(_, role)| role.keys().iter().find(|key| key.fingerprint() == *fingerprint));
                key.cloned().ok_or_else(|| {
                    let hint =
                        "`driftless keys show` lists the keys of the root; any other key is named by its .pub file";
                    Failure::usage(format!("no key of the root has the fingerprint {fingerprint}")).hint(hint)
                })
            }
        }
    }
}

/// Reads a `.pub` file. What else stands in the file is not repeated: it may be a secret key.
pub(super) fn public_half(path: &Path) -> Result<PublicKey, Failure> {
    let hint = "a key is named by its .pub file, by itself (RW…), or by its fingerprint if the root has it";
    let text = Zeroizing::new(file::read_text(path).map_err(|failure| failure.hint(hint))?);
    PublicKey::from_file_text(&text).map_err(|_| {
        let what = match SecretKey::from_file_text(&text) {
            Err(InvalidSecretKey::Malformed) => "is not the .pub file of a key",
            _ => "is a secret key, which goes to nobody; name the .pub file beside it",
        };
        Failure::usage(format!("{} {what}", path.display()))
    })
}

/// Reads a secret key from its file, and asks for its password if it has one.
pub(super) async fn open_secret(path: &Path, password: &PasswordArgs) -> Result<SecretKey, Failure> {
    let text = Zeroizing::new(file::read_text(path)?);
    let opened = match SecretKey::from_file_text(&text) {
        Err(InvalidSecretKey::Protected) => SecretKey::unlock(&text, &password.of(path).await?),
        opened => opened,
    };
    opened.map_err(|error| {
        let code = if error == InvalidSecretKey::WrongPassword { Code::Refused } else { Code::Usage };
        Failure::new(code, format!("{}: {error}", path.display()))
    })
}
