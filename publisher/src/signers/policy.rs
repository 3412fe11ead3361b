//! Judges one signature against the signers that are allowed.

use schema::Timestamp;
use ssh_key::{Fingerprint, HashAlg, LineEnding, SshSig};

use super::allowed::{self, AllowedSigner, InvalidPolicy};
use super::principals::Principals;
use super::validity::Validity;

/// The only SSHSIG namespace in which a commit can be signed.
pub(crate) const NAMESPACE: &str = "git";

/// Whether who signs must also be who commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitterRule {
    /// Any allowed signer may sign any commit: what git itself does.
    #[default]
    AnySigner,
    /// The committer's address must be a principal of the key.
    MustBeSigner,
}

/// Who may sign commits, with which keys, and when. Never empty.
#[derive(Clone, Debug)]
pub struct SignerPolicy {
    signers: Vec<AllowedSigner>,
    committer: CommitterRule,
}

/// A commit as far as a policy looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'c> {
    /// The signature, armoured, if there is one.
    pub signature: Option<&'c [u8]>,
    /// What is signed: the commit object without its signature.
    pub payload: &'c [u8],
    /// The committer's address, which anybody can write.
    pub committer: &'c str,
}

/// Whose signature was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The principals of the line that the key stands in.
    pub principal: Principals,
    /// The key, as `ssh-keygen -l` shows it: `SHA256:…`.
    pub key_fingerprint: String,
}

/// Says why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefusal {
    /// There is none.
    #[error("it is not signed; sign it with an SSH key (git config gpg.format ssh, git commit -S)")]
    Unsigned,
    /// An OpenPGP or X.509 signature.
    #[error("its signature is of type {kind}, which this version cannot judge; sign it with an SSH key")]
    NotSsh {
        /// What it is: `OpenPGP` or `X.509`.
        kind: &'static str,
    },
    /// Not a signature in the SSHSIG format.
    #[error("its signature cannot be read")]
    Malformed(#[source] ssh_key::Error),
    /// A signature in a spelling that other programs may read differently.
    #[error("its signature is not in the one spelling that ssh-keygen writes; sign it again")]
    OddlySpelt,
    /// Made to be used for something else.
    #[error("key {fingerprint} signed it for `{}`, not for `git`", namespace.escape_debug())]
    Namespace {
        /// What it was made for.
        namespace: String,
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

impl SignerPolicy {
    /// Reads a policy in the format of [`allowed`].
    ///
    /// # Errors
    /// The first line that is wrong; and a policy without any key, since it could never be met.
    pub fn parse(text: &str) -> Result<SignerPolicy, InvalidPolicy> {
        Ok(SignerPolicy { signers: allowed::parse(text)?, committer: CommitterRule::default() })
    }

    /// The same with another rule on who commits.
    pub fn with_committer_rule(self, committer: CommitterRule) -> SignerPolicy {
        SignerPolicy { committer, ..self }
    }

    /// Judges `commit` by the rules in force at `first_seen`.
    ///
    /// # Errors
    /// [`SignatureRefusal`] names the key and what is wrong.
    pub fn judge(&self, commit: Signed<'_>, first_seen: Timestamp) -> Result<Signer, SignatureRefusal> {
        let signature = read_signature(commit.signature.ok_or(SignatureRefusal::Unsigned)?)?;
        let fingerprint = Fingerprint::new(HashAlg::Sha256, signature.public_key()).to_string();
        if signature.namespace() != NAMESPACE {
            return Err(SignatureRefusal::Namespace { namespace: signature.namespace().to_owned(), fingerprint });
        }
        let lines: Vec<_> = self.signers.iter().filter(|line| line.key.key_data() == signature.public_key()).collect();
        let Some(line) = lines.first() else {
            return Err(SignatureRefusal::UnknownKey { fingerprint });
        };
        if line.key.verify(NAMESPACE, commit.payload, &signature).is_err() {
            return Err(SignatureRefusal::Forged { fingerprint });
        }
        // A key may stand in several lines, say with a gap in its validity: one line that allows it is enough.
        let mut refusal = None;
        for line in lines {
            match self.judge_line(line, &fingerprint, commit.committer, first_seen) {
                Ok(signer) => return Ok(signer),
                Err(refused) => refusal = refusal.or(Some(refused)),
            }
        }
        Err(refusal.expect("there is at least one line, and each refused"))
    }

    fn judge_line(
        &self,
        line: &AllowedSigner,
        fingerprint: &str,
        committer: &str,
        first_seen: Timestamp,
    ) -> Result<Signer, SignatureRefusal> {
        let (fingerprint, principal) = (fingerprint.to_owned(), line.principals.to_string());
        match line.validity {
            Validity { after: Some(valid_after), .. } if first_seen < valid_after => {
                Err(SignatureRefusal::NotYetValid { fingerprint, principal, valid_after, first_seen })
            }
            Validity { before: Some(valid_before), .. } if first_seen > valid_before => {
                Err(SignatureRefusal::Expired { fingerprint, principal, valid_before, first_seen })
            }
            _ if self.committer == CommitterRule::MustBeSigner && !line.principals.admit(committer) => {
                Err(SignatureRefusal::OtherCommitter { fingerprint, principal, committer: committer.to_owned() })
            }
            _ => Ok(Signer { principal: line.principals.clone(), key_fingerprint: fingerprint }),
        }
    }
}

fn read_signature(armoured: &[u8]) -> Result<SshSig, SignatureRefusal> {
    for (start, kind) in [("-----BEGIN PGP", "OpenPGP"), ("-----BEGIN SIGNED MESSAGE-----", "X.509")] {
        if armoured.starts_with(start.as_bytes()) {
            return Err(SignatureRefusal::NotSsh { kind });
        }
    }
    let signature = SshSig::from_pem(armoured).map_err(SignatureRefusal::Malformed)?;
    // The parser forgives lengths that are wrong and bits that are left over. Line breaks may be anywhere.
    let written = signature.to_pem(LineEnding::LF).map_err(SignatureRefusal::Malformed)?;
    let letters = |text: &[u8]| text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<_>>();
    if letters(written.as_bytes()) == letters(armoured) { Ok(signature) } else { Err(SignatureRefusal::OddlySpelt) }
}

#[cfg(test)]
mod tests;
