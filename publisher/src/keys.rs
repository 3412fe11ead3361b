//! The publisher's own secret keys, and which of them a trust root takes for what.
//!
//! In: where the keys are, and a root. Out: [`Keys`] that can sign, or why they cannot. Key bytes never reach a message or a
//! log, are wiped from memory, and are kept out of core dumps. Which keys a process needs is told by its [`Duty`].

mod memory;
mod read;
mod source;

use std::collections::BTreeMap;
use std::fmt;

use schema::keys::{InvalidSecretKey, SecretKey};
use schema::{PublicKey, Region, RoleKeys, TrustRoot};

pub use read::SecretError;
pub use source::{KeySection, KeySource, KeySources, SecretSource};

use crate::duty::Duty;

/// The secret keys of a publisher, role by role.
#[derive(Debug, Default)]
pub struct Keys {
    /// Sign manifests.
    pub release: Vec<SecretKey>,
    /// Sign pointers, wherever the trust root takes them.
    pub pointer: Vec<SecretKey>,
    /// Sign pointers of one region, where the trust root takes them.
    pub pointer_of_region: BTreeMap<Region, Vec<SecretKey>>,
}

impl Keys {
    /// Reads the keys that `duty` needs and no others. From then on the process keeps out of core dumps. Blocks: a source may be
    /// a program.
    ///
    /// # Errors
    /// [`KeyError`] names the source that has no key in it, or the role that has no source.
    pub fn load(sources: &KeySection, duty: Duty) -> Result<Keys, KeyError> {
        memory::keep_out_of_core_dumps();
        let mut keys = Keys::default();
        if duty.has(Role::Release) {
            keys.release = load_all(&sources.release)?;
            if keys.release.is_empty() {
                return Err(KeyError::Missing { role: Role::Release });
            }
        }
        if duty.has(Role::Pointer) {
            keys.pointer = load_all(&sources.pointer)?;
            for (region, sources) in &sources.pointer_of_region {
                keys.pointer_of_region.insert(region.clone(), load_all(sources)?);
            }
            if keys.pointer.is_empty() && keys.pointer_of_region.is_empty() {
                return Err(KeyError::Missing { role: Role::Pointer });
            }
        }
        Ok(keys)
    }

    /// Those that `root` takes for manifests. They may be too few to sign alone.
    pub(crate) fn for_release(&self, root: &TrustRoot) -> Vec<&SecretKey> {
        listed(self.release.iter(), &root.release)
    }

    /// Those that `root` takes for pointers of `region`; none where they are too few to sign alone.
    pub(crate) fn for_pointer(&self, root: &TrustRoot, region: &Region) -> Option<Vec<&SecretKey>> {
        let own = self.pointer_of_region.get(region).into_iter().flatten();
        let role = root.pointer_keys(region);
        let keys = listed(own.chain(&self.pointer), role);
        (keys.len() >= role.threshold()).then_some(keys)
    }

    /// Checks that agents which trust `root` will believe what these keys sign, at least somewhere, or, with manifests that more
    /// than one has to sign, that these keys count.
    ///
    /// # Errors
    /// [`UntrustedKeys`] where a role that `duty` has is out of reach.
    pub fn fit(&self, root: &TrustRoot, duty: Duty) -> Result<(), UntrustedKeys> {
        let untrusted = |role, keys: Vec<&SecretKey>| UntrustedKeys {
            role,
            keys: keys.into_iter().map(|key| key.public().clone()).collect(),
            version: root.version,
        };
        if duty.has(Role::Release) && self.for_release(root).is_empty() {
            return Err(untrusted(Role::Release, self.release.iter().collect()));
        }
        if duty.has(Role::Pointer) && !self.sign_somewhere(root) {
            let all = self.pointer.iter().chain(self.pointer_of_region.values().flatten());
            return Err(untrusted(Role::Pointer, all.collect()));
        }
        Ok(())
    }

    /// A root may give every region keys of its own, and this publisher those of a few.
    fn sign_somewhere(&self, root: &TrustRoot) -> bool {
        let elsewhere = listed(self.pointer.iter(), &root.pointer).len() >= root.pointer.threshold();
        let mut regions = root.pointer_of_region.keys().chain(self.pointer_of_region.keys());
        elsewhere || regions.any(|region| self.for_pointer(root, region).is_some())
    }
}

/// Those of `keys` that are in `role`, each once.
fn listed<'k>(keys: impl Iterator<Item = &'k SecretKey>, role: &RoleKeys) -> Vec<&'k SecretKey> {
    let mut listed: Vec<&SecretKey> = Vec::new();
    for key in keys.filter(|key| role.keys().contains(key.public())) {
        if listed.iter().all(|known| known.public() != key.public()) {
            listed.push(key);
        }
    }
    listed
}

fn load_all(sources: &KeySources) -> Result<Vec<SecretKey>, KeyError> {
    sources.0.iter().map(load).collect()
}

/// Reads one key. What was read of it is wiped; what the source itself keeps (a file, the environment) is not ours to wipe.
fn load(source: &KeySource) -> Result<SecretKey, KeyError> {
    let unreadable = |place: String| move |source| KeyError::Unreadable { place, source };
    let text = match source {
        KeySource::File { path, .. } => read::read_file(path),
        KeySource::Text(text) => read::read(text),
    };
    let text = text.map_err(unreadable(source.to_string()))?;
    let key = match source {
        KeySource::File { password: Some(password), .. } => {
            let password = read::read(password).map_err(unreadable(password.to_string()))?;
            SecretKey::unlock(&text, password.trim_end_matches(['\r', '\n']))
        }
        _ => SecretKey::from_file_text(&text),
    };
    key.map_err(|invalid| KeyError::Invalid { place: source.to_string(), source: invalid })
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Manifests.
    Release,
    /// Pointers.
    Pointer,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Release => "release",
            Role::Pointer => "pointer",
        })
    }
}

/// Says why there is no secret key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The configuration names none for a role that this process has.
    #[error("the configuration names no {role} key")]
    Missing {
        /// The role.
        role: Role,
    },
    /// The text of the key, or its password, cannot be had.
    #[error("a secret key was to be read from `{place}`")]
    Unreadable {
        /// A path, a program or a variable; nothing secret.
        place: String,
        /// Why.
        #[source]
        source: SecretError,
    },
    /// What is there is not a key that can be used.
    #[error("the secret key in `{place}` is of no use")]
    Invalid {
        /// A path, a program or a variable; nothing secret.
        place: String,
        /// What is wrong with it.
        #[source]
        source: InvalidSecretKey,
    },
}

/// Says that agents would refuse what keys sign.
#[derive(Debug, thiserror::Error)]
#[error("trust root version {version} does not take {} for the {role} role", named(keys))]
pub struct UntrustedKeys {
    /// What they were to sign.
    pub role: Role,
    /// Their public halves.
    pub keys: Vec<PublicKey>,
    /// The root's version.
    pub version: u64,
}

fn named(keys: &[PublicKey]) -> String {
    let keys: Vec<String> = keys.iter().map(PublicKey::to_string).collect();
    if let [key] = &keys[..] { format!("key {key} alone") } else { format!("the keys {}", keys.join(", ")) }
}

#[cfg(test)]
mod tests;
