//! `agents.yaml`: who there is, and how each of them is told from the others.
//!
//! ```yaml
//! agents:
//!   web-0173: { key: RWQ…, token_sha256: 9f86d0…, token_expires: 2027-01-01T00:00:00.000Z }
//!   web-0174: {}                 # comes with a certificate, or is only counted
//! gateways:
//!   eu-west-1: { token_sha256: 60303a… }
//! readers:
//!   prometheus: { token_sha256: fd61a0… }
//! ```
//!
//! In: one such file, or a folder of them. Out: a [`Registry`], or one [`RegistryError`]. Nobody is in it twice, and nothing
//! that tells two apart is the same for both. A token is in it by its hash alone, so the file is no secret.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use schema::yaml::InvalidYaml;
use schema::{AgentId, Digest, Limits, PublicKey, Timestamp};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::presented::TokenHash;
use crate::reload::{Content, Files, Unreadable};

/// Everybody who may come in.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    entries: HashMap<AgentId, Entry>,
    /// The first half of a token's hash finds whose it might be; the second is compared in constant time.
    tokens: HashMap<Half, (Half, AgentId)>,
    keys: HashMap<PublicKey, AgentId>,
}

type Half = [u8; 32];

/// What somebody is here for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Fetches, and says in acks what came of it.
    Agent,
    /// Fetches, and says in summaries what its agents said.
    Gateway,
    /// Fetches, and says nothing.
    Reader,
}

#[derive(Debug)]
struct Entry {
    role: Role,
    key: Option<PublicKey>,
    token_expires: Option<Timestamp>,
}

/// Says why files make no registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// One of them cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// One of them is not text.
    #[error("{} is not UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// What is in it is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidYaml),
    /// A name that is there twice, in one role or in two.
    #[error("`{name}` is there twice")]
    Twice {
        /// The name.
        name: AgentId,
    },
    /// Two that could not be told from each other.
    #[error("`{one}` and `{other}` have the same {what}")]
    Shared {
        /// What they share.
        what: &'static str,
        /// The one that was read first.
        one: AgentId,
        /// The other.
        other: AgentId,
    },
    /// The token of somebody is the empty text, which anybody has.
    #[error("the token of `{name}` is empty")]
    EmptyToken {
        /// Whose it is.
        name: AgentId,
    },
}

impl Registry {
    /// What `name` is here for, if it is listed.
    pub(crate) fn role(&self, name: &AgentId) -> Option<Role> {
        self.entries.get(name).map(|entry| entry.role)
    }

    /// The key that signs the acks of `agent`, if it is listed as an agent; the inner one, if a key is listed for it.
    pub(crate) fn key(&self, agent: &AgentId) -> Option<Option<&PublicKey>> {
        let entry = self.entries.get(agent).filter(|entry| entry.role == Role::Agent)?;
        Some(entry.key.as_ref())
    }

    /// Whose token it is, and until when.
    pub(crate) fn holder(&self, token: TokenHash) -> Option<(&AgentId, Option<Timestamp>)> {
        let (first, second) = halves(token.0);
        let (known, name) = self.tokens.get(&first)?;
        let same = bool::from(known.ct_eq(&second));
        same.then(|| (name, self.entries.get(name).and_then(|entry| entry.token_expires)))
    }

    fn enter(&mut self, name: AgentId, role: Role, key: Option<PublicKey>, token: Token) -> Result<(), RegistryError> {
        let Token { sha256, expires } = token;
        if let Some(sha256) = sha256 {
            if sha256 == Digest::of(b"") {
                return Err(RegistryError::EmptyToken { name });
            }
            let (first, second) = halves(sha256);
            if let Some((_, one)) = self.tokens.insert(first, (second, name.clone())) {
                return Err(RegistryError::Shared { what: "token", one, other: name });
            }
        }
        if let Some(key) = &key
            && let Some(one) = self.keys.insert(key.clone(), name.clone())
        {
            return Err(RegistryError::Shared { what: "key", one, other: name });
        }
        match self.entries.insert(name.clone(), Entry { role, key, token_expires: expires }) {
            Some(_) => Err(RegistryError::Twice { name }),
            None => Ok(()),
        }
    }
}

/// The halves of a hash's 64 hex digits.
fn halves(hash: Digest) -> (Half, Half) {
    let text = hash.to_string();
    let (first, second) = text.as_bytes().split_at(32);
    let half = |digits: &[u8]| digits.try_into().expect("a sha256 has 64 hex digits");
    (half(first), half(second))
}

/// Where a registry is read from: a file, or every `*.yaml` in a folder, so that one can be larger than one file may be.
#[derive(Debug)]
pub(crate) struct RegistryFiles(pub(crate) PathBuf);

impl Files for RegistryFiles {
    type Value = Registry;
    type Error = RegistryError;

    fn paths(&self) -> Result<Vec<PathBuf>, Unreadable> {
        if !self.0.is_dir() {
            return Ok(vec![self.0.clone()]);
        }
        let unreadable = |source| Unreadable { path: self.0.clone(), source };
        let entries = std::fs::read_dir(&self.0).map_err(unreadable)?;
        let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut paths = paths.map_err(unreadable)?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        paths.sort();
        Ok(paths)
    }

    fn parse(&self, contents: &[Content]) -> Result<Registry, RegistryError> {
        let mut registry = Registry::default();
        for Content { path, bytes } in contents {
            for_each_entry(path, bytes, |name, role, key, token| registry.enter(name, role, key, token))?;
        }
        Ok(registry)
    }
}

fn for_each_entry(
    path: &Path,
    bytes: &[u8],
    mut enter: impl FnMut(AgentId, Role, Option<PublicKey>, Token) -> Result<(), RegistryError>,
) -> Result<(), RegistryError> {
    let text = str::from_utf8(bytes).map_err(|_| RegistryError::NotText { path: path.to_owned() })?;
    let file: File = schema::yaml::from_str(&path.display().to_string(), text, &Limits::DEFAULT)?;
    for (name, AgentEntry { key, token_sha256, token_expires }) in file.agents {
        enter(name, Role::Agent, key, Token { sha256: token_sha256, expires: token_expires })?;
    }
    for (entries, role) in [(file.gateways, Role::Gateway), (file.readers, Role::Reader)] {
        for (name, OtherEntry { token_sha256, token_expires }) in entries {
            enter(name, role, None, Token { sha256: token_sha256, expires: token_expires })?;
        }
    }
    Ok(())
}

struct Token {
    sha256: Option<Digest>,
    expires: Option<Timestamp>,
}

/// A file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Who applies configuration.
    #[serde(default)]
    agents: BTreeMap<AgentId, AgentEntry>,
    /// Who serves others below.
    #[serde(default)]
    gateways: BTreeMap<AgentId, OtherEntry>,
    /// Who only looks: metrics, dashboards, a publisher's gates.
    #[serde(default)]
    readers: BTreeMap<AgentId, OtherEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentEntry {
    /// The key that signs its acks, as `driftless-agent identity` prints it; without it the first one that is seen counts.
    key: Option<PublicKey>,
    /// The sha256 of its token, in lower-case hex.
    token_sha256: Option<Digest>,
    /// From when on the token no longer counts; never, if this is absent.
    token_expires: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OtherEntry {
    /// The sha256 of its token, in lower-case hex.
    token_sha256: Option<Digest>,
    /// From when on the token no longer counts; never, if this is absent.
    token_expires: Option<Timestamp>,
}

#[cfg(test)]
mod tests;
