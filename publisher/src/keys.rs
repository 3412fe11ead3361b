//! The publisher's own keys, and whether a trust root vouches for them.
//!
//! In: key files and a root. Out: [`Keys`] that can sign, or why they cannot. Key bytes never reach a message or a log.

use std::fmt;
use std::path::{Path, PathBuf};

use schema::keys::{InvalidSecretKey, SecretKey};
use schema::{PublicKey, RoleKeys, TrustRoot};

use crate::config::KeyFiles;

/// The two secret keys of a publisher.
#[derive(Debug)]
pub struct Keys {
    /// Signs manifests.
    pub release: SecretKey,
    /// Signs pointers.
    pub pointer: SecretKey,
}

impl Keys {
    /// Reads both files. Warns of a file that others than its owner can read.
    ///
    /// # Errors
    /// [`KeyFileError`] names the file that is missing or is no unencrypted secret key.
    pub fn load(files: &KeyFiles) -> Result<Keys, KeyFileError> {
        Ok(Keys { release: read(&files.release)?, pointer: read(&files.pointer)? })
    }

    /// Checks that agents which trust `root` will believe what these keys sign, at least somewhere.
    ///
    /// # Errors
    /// [`UntrustedKey`] where a key is not in its role, or its role needs more than one signer.
    pub fn fit(&self, root: &TrustRoot) -> Result<(), UntrustedKey> {
        let suffices = |key: &SecretKey, role: &RoleKeys| role.threshold() == 1 && role.keys().contains(key.public());
        let untrusted =
            |role, key: &SecretKey| UntrustedKey { role, key: Box::new(key.public().clone()), version: root.version };
        if !suffices(&self.release, &root.release) {
            return Err(untrusted(Role::Release, &self.release));
        }
        // A root may give every region keys of its own, and this publisher those of a few.
        let mut regions = root.pointer_of_region.values().chain([&root.pointer]);
        if !regions.any(|role| suffices(&self.pointer, role)) {
            return Err(untrusted(Role::Pointer, &self.pointer));
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<SecretKey, KeyFileError> {
    let unreadable = |source| KeyFileError::Unreadable { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    warn_if_shared(path);
    SecretKey::from_file_text(&text).map_err(|source| KeyFileError::Invalid { path: path.to_owned(), source })
}

#[cfg(unix)]
fn warn_if_shared(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    if std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
        tracing::warn!("Secret key {} can be read by others than its owner; chmod 600 it", path.display());
    }
}

#[cfg(not(unix))]
fn warn_if_shared(_: &Path) {}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Says why a key file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("secret key `{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("secret key `{}` is of no use", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: InvalidSecretKey,
    },
}

/// Says that agents would refuse what a key signs.
#[derive(Debug, thiserror::Error)]
#[error("key {key} alone cannot sign for the {role} role of trust root version {version}")]
pub struct UntrustedKey {
    /// What it was to sign.
    pub role: Role,
    /// Its public half.
    pub key: Box<PublicKey>,
    /// The root's version.
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use schema::{Epoch, Timestamp};

    use super::*;

    fn role(threshold: usize, keys: &[&SecretKey]) -> RoleKeys {
        RoleKeys::new(threshold, keys.iter().map(|key| key.public().clone()).collect()).expect("a role")
    }

    #[test]
    fn keys_fit_a_root_that_takes_each_alone() {
        let keys = Keys { release: SecretKey::generate(), pointer: SecretKey::generate() };
        let other = SecretKey::generate();
        let fitting = TrustRoot {
            version: 1,
            epoch: Epoch::FIRST,
            issued: Timestamp::UNIX_EPOCH,
            expires: Timestamp::from_unix_millis(1),
            release_floor: 0,
            revoked: Vec::new(),
            root: role(1, &[&other]),
            release: role(1, &[&other, &keys.release]),
            pointer: role(1, &[&other]),
            pointer_of_region: [("eu-west".parse().expect("a region"), role(1, &[&keys.pointer]))].into(),
        };
        assert!(keys.fit(&fitting).is_ok());
        let two_needed = TrustRoot { release: role(2, &[&other, &keys.release]), ..fitting.clone() };
        let refused = keys.fit(&two_needed).expect_err("one signature will not do");
        assert_eq!(refused.role, Role::Release);
        let nowhere = TrustRoot { pointer_of_region: [].into(), ..fitting };
        assert_eq!(keys.fit(&nowhere).expect_err("no region takes it").role, Role::Pointer);
    }

    #[test]
    fn a_file_that_is_no_key_is_named_and_not_shown() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("release.key");
        std::fs::write(&file, "hush").expect("the folder is writable");
        let files = KeyFiles { release: file.clone(), pointer: file };
        let refused = Keys::load(&files).expect_err("no key").to_string();
        assert!(refused.contains("release.key") && !refused.contains("hush"), "{refused}");
    }
}
