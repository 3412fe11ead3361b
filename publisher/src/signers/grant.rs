//! What a policy grants: one key of one principal, for some time and some files.

use ssh_key::PublicKey;

use super::paths::AllowedPaths;
#[cfg(feature = "openpgp")]
use super::pgp::Certificate;
use super::principals::Principals;
use super::validity::Validity;

/// Who signs with which key, when, and what.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Whose key it is.
    pub principals: Principals,
    /// When it may sign.
    pub validity: Validity,
    /// What it may change.
    pub paths: AllowedPaths,
    /// The key.
    pub key: SigningKey,
}

/// A public key that may sign commits.
#[derive(Clone, Debug)]
pub enum SigningKey {
    /// An SSH key.
    Ssh(PublicKey),
    /// An OpenPGP certificate: a primary key and its subkeys.
    #[cfg(feature = "openpgp")]
    OpenPgp(Box<Certificate>),
}
