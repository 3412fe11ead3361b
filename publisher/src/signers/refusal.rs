//! Why a signature does not count.

use schema::Timestamp;

/// Says why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefusal {
    /// There is none.
    #[error("it is not signed; sign it with an SSH key (git config gpg.format ssh, git commit -S)")]
    Unsigned,
    /// An X.509 signature.
    #[error("its signature is of type {kind}, which this version cannot judge; sign it with an SSH key")]
    NotSsh {
        /// What it is.
        kind: &'static str,
    },
    /// An OpenPGP signature, and this build has no code for that.
    #[cfg(not(feature = "openpgp"))]
    #[error(
        "its signature is of type OpenPGP, which this build cannot judge; build driftless with `--features openpgp`, or \
         sign it with an SSH key"
    )]
    OpenPgpNotBuilt,
    /// An OpenPGP signature that does not count.
    #[cfg(feature = "openpgp")]
    #[error(transparent)]
    OpenPgp(#[from] super::pgp::PgpRefusal),
    /// Not a signature in the SSHSIG format.
    #[error("its signature cannot be read")]
    Malformed(#[source] ssh_key::Error),
    /// A signature in a spelling that other programs may read differently.
    #[error("its signature is not in the one spelling that ssh-keygen writes; sign it again")]
    OddlySpelt,
    /// Made to be used for something else.
    #[error("key {fingerprint} signed it for `{}`, not for `{wanted}`", namespace.escape_debug())]
    Namespace {
        /// What it was made for.
        namespace: String,
        /// What it had to be made for.
        wanted: &'static str,
        /// The key.
        fingerprint: String,
    },
    /// A key that the policy does not have.
    #[error("key {fingerprint} is not in the signer policy")]
    UnknownKey {
        /// The key.
        fingerprint: String,
    },
    /// The signature is not the key's, or not over this content.
    #[error("the signature by key {fingerprint} does not fit the commit")]
    Forged {
        /// The key.
        fingerprint: String,
    },
    /// Made by a hardware token that nobody touched.
    #[error(
        "key {fingerprint} is on a hardware token that was not touched to sign it; make the key without `no-touch-required`"
    )]
    Untouched {
        /// The key.
        fingerprint: String,
    },
    /// First seen after the key was revoked.
    #[error(
        "key {fingerprint} of {principal} is revoked since {since}, and the commit was first seen here at {first_seen}"
    )]
    Revoked {
        /// The key.
        fingerprint: String,
        /// Whose it is.
        principal: String,
        /// From when on it does not count.
        since: Timestamp,
        /// When this publisher first saw the commit.
        first_seen: Timestamp,
    },
    /// First seen after the key's time.
    #[error(
        "key {fingerprint} of {principal} was valid until {valid_before}, and the commit was first seen here at {first_seen}"
    )]
    Expired {
        /// The key.
        fingerprint: String,
        /// Whose it is.
        principal: String,
        /// The key's last moment.
        valid_before: Timestamp,
        /// When this publisher first saw the commit.
        first_seen: Timestamp,
    },
    /// First seen before the key's time.
    #[error(
        "key {fingerprint} of {principal} is valid from {valid_after}, and the commit was first seen here at {first_seen}"
    )]
    NotYetValid {
        /// The key.
        fingerprint: String,
        /// Whose it is.
        principal: String,
        /// The key's first moment.
        valid_after: Timestamp,
        /// When this publisher first saw the commit.
        first_seen: Timestamp,
    },
    /// Signed by somebody else than its committer.
    #[error("key {fingerprint} is of {principal}, who is not its committer `{}`", committer.escape_debug())]
    OtherCommitter {
        /// The key.
        fingerprint: String,
        /// Whose it is.
        principal: String,
        /// The address in the commit.
        committer: String,
    },
}
