//! The policy file, `policy.yaml`: all that an `allowed_signers` file says, and more.
//!
//! ```yaml
//! mode: strict                 # or head: only the tip has to be signed
//! committer: anyone            # or must_be_signer
//! seal: refused                # or allowed, or a list of names
//! principals:
//!   - name: alice@example.com
//!     ssh: [ssh-ed25519 AAAA…]
//!     pgp: [{ fingerprint: 0123456789ABCDEF0123456789ABCDEF01234567, file: keys/alice.asc }]
//!     not_before: 2026-01-01T00:00:00Z
//!     not_after: 2027-01-01T00:00:00Z
//!     paths: [apps/web/]
//! revoked:
//!   - { key: "SHA256:…", since: 2026-08-01T09:30:00Z }
//! ```
//!
//! In: its text, and the bytes of the key files that it names. Out: a [`SignerPolicy`]. Nobody stands in it twice: neither a
//! name nor a key may be given to two principals, so one principal is one person wherever two are asked for.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use schema::Limits;
use schema::yaml::{InvalidYaml, Spanned};
use serde::Deserialize;
use ssh_key::{HashAlg, PublicKey};

use super::allowed::InvalidPolicy;
use super::fingerprint::KeyFingerprint;
use super::grant::{Grant, SigningKey};
use super::paths::{AllowedPaths, PathPrefix};
use super::policy::{CommitterRule, Mode, SealRule, SignerPolicy};
use super::principals::Principals;
use super::revocation::Revocation;
use super::ssh::check_strength;
use super::validity::{Moment, Validity};

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyFile {
    /// How much of the branch has to be signed. Default: `strict`.
    #[serde(default)]
    mode: ModeWord,
    /// Whether the committer must be who signs. Default: `anyone`.
    #[serde(default)]
    committer: CommitterWord,
    /// Who may take an old history as it is. Default: `refused`.
    #[serde(default)]
    seal: Option<Spanned<SealWords>>,
    /// Who may sign.
    principals: Vec<Principal>,
    /// Keys that do not count any more.
    #[serde(default)]
    revoked: Vec<RevokedKey>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModeWord {
    #[default]
    Strict,
    Head,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CommitterWord {
    #[default]
    Anyone,
    MustBeSigner,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum SealWords {
    Word(SealWord),
    Names(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SealWord {
    Refused,
    Allowed,
}

/// One person, or one machine that signs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Principal {
    /// Names and patterns, separated by commas, as in an `allowed_signers` file.
    name: Spanned<String>,
    /// SSH public keys, as in a `.pub` file.
    #[serde(default)]
    ssh: Vec<Spanned<String>>,
    /// OpenPGP keys.
    #[serde(default)]
    pgp: Vec<PgpKey>,
    /// The keys count for what is first seen at this time or later.
    #[serde(default)]
    not_before: Option<Moment>,
    /// The keys count for what is first seen at this time or earlier.
    #[serde(default)]
    not_after: Option<Moment>,
    /// The files and folders that the keys may change. Default: all.
    #[serde(default)]
    paths: Option<Vec<PathPrefix>>,
}

/// An OpenPGP key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PgpKey {
    /// The whole fingerprint of the primary key.
    fingerprint: Spanned<KeyFingerprint>,
    /// What `gpg --export --armor` wrote.
    #[cfg_attr(
        not(feature = "openpgp"),
        expect(dead_code, reason = "a build without OpenPGP refuses the whole entry")
    )]
    file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedKey {
    /// The fingerprint.
    key: KeyFingerprint,
    /// From this moment on, judged by when a commit is first seen.
    since: Moment,
}

/// What is read besides the text: the content of a key file.
pub(super) type ReadKeyFile<'r, E> = dyn FnMut(&Path) -> Result<Vec<u8>, E> + 'r;

/// Reads the text of the file `name`.
///
/// # Errors
/// The first thing that is wrong, with its place; or what `read` says.
pub(super) fn parse<E: From<InvalidPolicy>>(
    name: &str,
    text: &str,
    read: &mut ReadKeyFile<'_, E>,
) -> Result<SignerPolicy, E> {
    let file: PolicyFile = schema::yaml::from_str(name, text, &Limits::DEFAULT).map_err(InvalidPolicy::from)?;
    let mut seen = Seen::default();
    let mut grants = Vec::new();
    for principal in &file.principals {
        grants.extend(principal.grants(name, &mut seen, read)?);
    }
    if grants.is_empty() {
        return Err(InvalidPolicy::Empty.into());
    }
    let seal = file.seal.map(|words| seal_rule(name, words, &grants)).transpose()?.unwrap_or_default();
    let mode = match file.mode {
        ModeWord::Strict => Mode::Strict,
        ModeWord::Head => Mode::Head,
    };
    let committer = match file.committer {
        CommitterWord::Anyone => CommitterRule::AnySigner,
        CommitterWord::MustBeSigner => CommitterRule::MustBeSigner,
    };
    let revoked = file.revoked.into_iter().map(|revoked| Revocation { key: revoked.key, since: revoked.since.0 });
    Ok(SignerPolicy { grants, mode, committer, seal, revoked: revoked.collect() })
}

/// The names and keys met so far.
#[derive(Default)]
struct Seen {
    names: HashSet<String>,
    keys: HashSet<String>,
}

impl Principal {
    fn grants<E: From<InvalidPolicy>>(
        &self,
        file: &str,
        seen: &mut Seen,
        read: &mut ReadKeyFile<'_, E>,
    ) -> Result<Vec<Grant>, E> {
        let at_name = |wrong: String| InvalidPolicy::from(InvalidYaml::at(file, self.name.defined, wrong));
        let principals =
            Principals::parse(&self.name.value).map_err(|wrong| at_name(format!("this principal {wrong}")))?;
        for name in principals.patterns() {
            if !seen.names.insert(name.to_owned()) {
                return Err(at_name(format!(
                    "`{}` stands in two principals; give all keys to one",
                    name.escape_debug()
                ))
                .into());
            }
        }
        let validity = Validity { after: self.not_before.map(|at| at.0), before: self.not_after.map(|at| at.0) };
        if let (Some(after), Some(before)) = (validity.after, validity.before)
            && after > before
        {
            return Err(at_name("this principal is never valid: not_before is later than not_after".to_owned()).into());
        }
        let paths = match &self.paths {
            None => AllowedPaths::Everything,
            Some(paths) if paths.is_empty() => {
                return Err(at_name(
                    "this principal may change nothing; write `paths`, or leave the key out".to_owned(),
                )
                .into());
            }
            Some(paths) => AllowedPaths::Below(paths.clone()),
        };
        let mut keys = Vec::new();
        for line in &self.ssh {
            keys.push(ssh_key(file, line, seen)?);
        }
        for key in &self.pgp {
            keys.push(key.load(file, seen, read)?);
        }
        if keys.is_empty() {
            return Err(at_name("this principal has no key; list one under `ssh` or `pgp`".to_owned()).into());
        }
        let grant = |key| Grant { principals: principals.clone(), validity, paths: paths.clone(), key };
        Ok(keys.into_iter().map(grant).collect())
    }
}

fn ssh_key(file: &str, line: &Spanned<String>, seen: &mut Seen) -> Result<SigningKey, InvalidPolicy> {
    let at = |wrong: String| InvalidYaml::at(file, line.defined, wrong);
    let key = PublicKey::from_openssh(&line.value)
        .map_err(|error| at(format!("this key cannot be read ({error}); copy the whole line of the `.pub` file")))?;
    check_strength(&key).map_err(|wrong| at(format!("this principal {wrong}")))?;
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    if !seen.keys.insert(fingerprint.clone()) {
        return Err(at(format!("key {fingerprint} stands here twice; a key belongs to one principal")).into());
    }
    Ok(SigningKey::Ssh(key))
}

impl PgpKey {
    #[cfg(not(feature = "openpgp"))]
    fn load<E: From<InvalidPolicy>>(
        &self,
        file: &str,
        _: &mut Seen,
        _: &mut ReadKeyFile<'_, E>,
    ) -> Result<SigningKey, E> {
        let wrong =
            "this is an OpenPGP key, and this driftless was built without them; build it with `--features openpgp`";
        Err(InvalidPolicy::from(InvalidYaml::at(file, self.fingerprint.defined, wrong)).into())
    }

    #[cfg(feature = "openpgp")]
    fn load<E: From<InvalidPolicy>>(
        &self,
        file: &str,
        seen: &mut Seen,
        read: &mut ReadKeyFile<'_, E>,
    ) -> Result<SigningKey, E> {
        let at = |wrong: String| InvalidPolicy::from(InvalidYaml::at(file, self.fingerprint.defined, wrong));
        let fingerprint = &self.fingerprint.value;
        if !fingerprint.is_openpgp() {
            return Err(at(
                "this is the fingerprint of an SSH key; write the 40 hex digits of `gpg --fingerprint`".to_owned()
            )
            .into());
        }
        if !seen.keys.insert(fingerprint.to_string()) {
            return Err(at(format!("key {fingerprint} stands here twice; a key belongs to one principal")).into());
        }
        let bytes = read(&self.file)?;
        let certificate = super::pgp::Certificate::read(&bytes, fingerprint)
            .map_err(|wrong| at(format!("the key file `{}` {wrong}", self.file.display())))?;
        Ok(SigningKey::OpenPgp(Box::new(certificate)))
    }
}

fn seal_rule(file: &str, words: Spanned<SealWords>, grants: &[Grant]) -> Result<SealRule, InvalidPolicy> {
    let names = match words.value {
        SealWords::Word(SealWord::Refused) => return Ok(SealRule::Refused),
        SealWords::Word(SealWord::Allowed) => return Ok(SealRule::Allowed),
        SealWords::Names(names) => names,
    };
    let may = |name: &String| {
        grants.iter().any(|grant| grant.paths == AllowedPaths::Everything && grant.principals.admit(name))
    };
    match names.iter().find(|name| !may(name)) {
        None if names.is_empty() => {
            Err(InvalidYaml::at(file, words.defined, "nobody may seal; write `seal: refused`, or names").into())
        }
        None => Ok(SealRule::Only(names)),
        Some(name) => {
            let wrong = format!(
                "`{}` is no principal who may change every file, so nothing can be sealed",
                name.escape_debug()
            );
            Err(InvalidYaml::at(file, words.defined, wrong).into())
        }
    }
}

#[cfg(test)]
mod tests;
