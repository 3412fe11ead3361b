//! OpenPGP signatures by keys that a policy lists, judged without a keyring, a trust model or gpg.
//!
//! In: a detached signature as git stores it, what it signs, a [`Certificate`] that the operator listed by its whole
//! fingerprint, and when the commit was first seen. Out: the fingerprint of the key that signed, or one [`PgpRefusal`].
//!
//! The library underneath checks cryptography alone, so every rule is here: one signature of version 4 by SHA-256 or better, made
//! by the primary key or by a subkey that the primary bound and that signed back, with the flag to sign, neither revoked
//! nor expired when the commit was first seen. Any revocation in the key file counts, whoever made it.

mod certificate;
mod read;
mod self_signature;
mod signature;

use schema::Timestamp;

pub use certificate::{Certificate, InvalidCertificate};
pub(super) use signature::DetachedSignature;

/// Says why an OpenPGP signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PgpRefusal {
    /// Not exactly one armoured signature packet.
    #[error("its OpenPGP signature {0}")]
    Malformed(&'static str),
    /// A hash that can be collided with, or is about to be.
    #[error(
        "its OpenPGP signature is made with {hash}; sign it with SHA-256 or better (`digest-algo SHA256` in gpg.conf)"
    )]
    WeakHash {
        /// As the library names it.
        hash: String,
    },
    /// Not over this content, or not by that key.
    #[error("the signature by OpenPGP key {key} does not fit the commit")]
    Forged {
        /// The key.
        key: String,
    },
    /// The signature itself says until when it counts.
    #[error(
        "the signature by OpenPGP key {key} counted until {until}, and the commit was first seen here at {first_seen}"
    )]
    SignatureExpired {
        /// The key.
        key: String,
        /// Its last moment.
        until: Timestamp,
        /// When this publisher first saw the commit.
        first_seen: Timestamp,
    },
    /// The key, or its primary key, is revoked in the key file.
    #[error("OpenPGP key {key} is revoked by its own key file")]
    Revoked {
        /// The key.
        key: String,
    },
    /// The key, or its primary key, had expired.
    #[error(
        "OpenPGP key {key} expired at {expired}, and the commit was first seen here at {first_seen}; if it was renewed, export it again"
    )]
    Expired {
        /// The key.
        key: String,
        /// When.
        expired: Timestamp,
        /// When this publisher first saw the commit.
        first_seen: Timestamp,
    },
    /// A key that may not sign.
    #[error("OpenPGP key {key} {why}")]
    Unfit {
        /// The key.
        key: String,
        /// Why, and what to do.
        why: &'static str,
    },
}

#[cfg(test)]
mod tests;
