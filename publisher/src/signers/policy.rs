//! Judges one signature against the keys that are allowed.

use schema::Timestamp;
use ssh_key::SshSig;

use super::allowed::{self, InvalidPolicy};
use super::grant::{Grant, SigningKey};
use super::paths::AllowedPaths;
use super::principals::Principals;
use super::refusal::SignatureRefusal;
use super::revocation::Revocation;
use super::ssh;
use super::validity::Validity;

/// The only SSHSIG namespace in which a commit can be signed.
pub(crate) const NAMESPACE: &str = "git";

/// How much of a branch has to be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Every new commit, on every parent.
    #[default]
    Strict,
    /// The tip alone: whoever signs it answers for all that is new below.
    Head,
}

/// Whether who signs must also be who commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitterRule {
    /// Any allowed signer may sign any commit: what git itself does.
    #[default]
    AnySigner,
    /// The committer's address must be a principal of the key.
    MustBeSigner,
}

/// Who may take an old history as it is, by a seal commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SealRule {
    /// Nobody.
    #[default]
    Refused,
    /// Whoever may change every file.
    Allowed,
    /// Those with one of these names, if they may change every file.
    Only(Vec<String>),
}

/// Who may sign commits, with which keys, when, and what. Never without a key.
#[derive(Clone, Debug)]
pub struct SignerPolicy {
    pub(super) grants: Vec<Grant>,
    pub(super) mode: Mode,
    pub(super) committer: CommitterRule,
    pub(super) seal: SealRule,
    pub(super) revoked: Vec<Revocation>,
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
    /// The names of whoever has the key.
    pub principal: Principals,
    /// The key: `SHA256:…`, as `ssh-keygen -l` shows it, or the 40 hex digits of the OpenPGP key that signed.
    pub key_fingerprint: String,
    /// What it may change.
    pub paths: AllowedPaths,
}

/// A signature that fits, and the grants that its key stands in. Never none.
struct Fitting<'p> {
    /// As which the key is shown, and what else can be revoked to stop it.
    fingerprint: String,
    primary: Option<String>,
    grants: Vec<&'p Grant>,
}

impl SignerPolicy {
    /// Reads a policy in the format of [`allowed`].
    ///
    /// # Errors
    /// The first line that is wrong; and a policy without any key, since it could never be met.
    pub fn parse(text: &str) -> Result<SignerPolicy, InvalidPolicy> {
        let grants = allowed::parse(text)?.into_iter().map(Grant::from).collect();
        let (mode, committer, seal) = (Mode::default(), CommitterRule::default(), SealRule::default());
        Ok(SignerPolicy { grants, mode, committer, seal, revoked: Vec::new() })
    }

    /// The same with another rule on who commits.
    pub fn with_committer_rule(self, committer: CommitterRule) -> SignerPolicy {
        SignerPolicy { committer, ..self }
    }

    /// The same with other revocations: what is remembered besides what the file says.
    pub fn with_revocations(self, revoked: Vec<Revocation>) -> SignerPolicy {
        SignerPolicy { revoked, ..self }
    }

    /// How much of a branch has to be signed.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What is revoked.
    pub fn revoked(&self) -> &[Revocation] {
        &self.revoked
    }

    /// Whether seal commits mean anything.
    pub(crate) fn seals(&self) -> &SealRule {
        &self.seal
    }

    /// Whether `signer` may take an old history as it is.
    pub(crate) fn may_seal(&self, signer: &Signer) -> bool {
        let everything = signer.paths == AllowedPaths::Everything;
        match &self.seal {
            SealRule::Refused => false,
            SealRule::Allowed => everything,
            SealRule::Only(names) => everything && names.iter().any(|name| signer.principal.admit(name)),
        }
    }

    /// Judges `commit` by the rules in force at `first_seen`.
    ///
    /// # Errors
    /// [`SignatureRefusal`] names the key and what is wrong.
    pub fn judge(&self, commit: Signed<'_>, first_seen: Timestamp) -> Result<Signer, SignatureRefusal> {
        let armoured = commit.signature.ok_or(SignatureRefusal::Unsigned)?;
        let fitting = if armoured.starts_with(b"-----BEGIN SIGNED MESSAGE-----") {
            return Err(SignatureRefusal::NotSsh { kind: "X.509" });
        } else if armoured.starts_with(b"-----BEGIN PGP") {
            self.fit_openpgp(armoured, commit.payload, first_seen)?
        } else {
            self.fit_ssh(NAMESPACE, armoured, commit.payload)?
        };
        let committer = (self.committer == CommitterRule::MustBeSigner).then_some(commit.committer);
        self.admit(fitting, committer, first_seen)
    }

    /// Judges an SSH signature over something else than a commit, made for `namespace`, by the rules in force at `at`.
    ///
    /// # Errors
    /// [`SignatureRefusal`] names the key and what is wrong.
    pub(crate) fn judge_statement(
        &self,
        namespace: &'static str,
        armoured: &[u8],
        payload: &[u8],
        at: Timestamp,
    ) -> Result<Signer, SignatureRefusal> {
        self.admit(self.fit_ssh(namespace, armoured, payload)?, None, at)
    }

    fn fit_ssh(
        &self,
        namespace: &'static str,
        armoured: &[u8],
        payload: &[u8],
    ) -> Result<Fitting<'_>, SignatureRefusal> {
        let signature = ssh::read(armoured)?;
        ssh::check_namespace(&signature, namespace)?;
        let grants: Vec<_> = self.grants.iter().filter(|grant| grant.is_for(&signature)).collect();
        let fingerprint = ssh::fingerprint(&signature);
        let Some(SigningKey::Ssh(key)) = grants.first().map(|grant| &grant.key) else {
            return Err(SignatureRefusal::UnknownKey { fingerprint });
        };
        ssh::verify(key, namespace, payload, &signature)?;
        Ok(Fitting { fingerprint, primary: None, grants })
    }

    #[cfg(not(feature = "openpgp"))]
    fn fit_openpgp(&self, _: &[u8], _: &[u8], _: Timestamp) -> Result<Fitting<'_>, SignatureRefusal> {
        Err(SignatureRefusal::OpenPgpNotBuilt)
    }

    #[cfg(feature = "openpgp")]
    fn fit_openpgp(
        &self,
        armoured: &[u8],
        payload: &[u8],
        first_seen: Timestamp,
    ) -> Result<Fitting<'_>, SignatureRefusal> {
        let signature = super::pgp::DetachedSignature::read(armoured)?;
        let certificates = self.grants.iter().filter_map(|grant| match &grant.key {
            SigningKey::OpenPgp(certificate) => Some((grant, certificate)),
            SigningKey::Ssh(_) => None,
        });
        let found = certificates.clone().find(|(_, certificate)| certificate.has(&signature));
        let Some((_, certificate)) = found else {
            return Err(SignatureRefusal::UnknownKey { fingerprint: signature.issuer() });
        };
        let fingerprint = certificate.judge(&signature, payload, first_seen)?.to_string();
        let primary = certificate.fingerprint().to_string();
        let same = certificates.filter(|(_, other)| other.fingerprint() == certificate.fingerprint());
        Ok(Fitting { fingerprint, primary: Some(primary), grants: same.map(|(grant, _)| grant).collect() })
    }

    fn admit(
        &self,
        fitting: Fitting<'_>,
        committer: Option<&str>,
        first_seen: Timestamp,
    ) -> Result<Signer, SignatureRefusal> {
        let Fitting { fingerprint, primary, grants } = fitting;
        let revoked = self.revoked.iter().filter(|revocation| {
            let key = revocation.key.as_str();
            key == fingerprint || Some(key) == primary.as_deref()
        });
        if let Some(since) = revoked.map(|revocation| revocation.since).min().filter(|since| first_seen >= *since) {
            let principal = grants.first().map(|grant| grant.principals.to_string()).unwrap_or_default();
            return Err(SignatureRefusal::Revoked { fingerprint, principal, since, first_seen });
        }
        // A key may stand in several lines, say with a gap in its validity: one line that allows it is enough.
        let mut refusal = None;
        for grant in grants {
            match grant.admit(&fingerprint, committer, first_seen) {
                Ok(signer) => return Ok(signer),
                Err(refused) => refusal = refusal.or(Some(refused)),
            }
        }
        Err(refusal.expect("there is at least one grant, and each refused"))
    }
}

impl Grant {
    fn is_for(&self, signature: &SshSig) -> bool {
        match &self.key {
            SigningKey::Ssh(key) => key.key_data() == signature.public_key(),
            #[cfg(feature = "openpgp")]
            SigningKey::OpenPgp(_) => false,
        }
    }

    fn admit(
        &self,
        fingerprint: &str,
        committer: Option<&str>,
        first_seen: Timestamp,
    ) -> Result<Signer, SignatureRefusal> {
        let (fingerprint, principal) = (fingerprint.to_owned(), self.principals.to_string());
        match (self.validity, committer) {
            (Validity { after: Some(valid_after), .. }, _) if first_seen < valid_after => {
                Err(SignatureRefusal::NotYetValid { fingerprint, principal, valid_after, first_seen })
            }
            (Validity { before: Some(valid_before), .. }, _) if first_seen > valid_before => {
                Err(SignatureRefusal::Expired { fingerprint, principal, valid_before, first_seen })
            }
            (_, Some(committer)) if !self.principals.admit(committer) => {
                Err(SignatureRefusal::OtherCommitter { fingerprint, principal, committer: committer.to_owned() })
            }
            _ => Ok(Signer {
                principal: self.principals.clone(),
                key_fingerprint: fingerprint,
                paths: self.paths.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
