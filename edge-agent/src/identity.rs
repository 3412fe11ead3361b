//! The key by which others know this agent: it signs acks, and nothing else.
//!
//! In: the state folder. Out: an [`Identity`], made on the first start and the same ever after. Whether somebody believes the
//! key is for them to say: a gateway with a registry knows agents by their public keys, one without keeps the first it sees.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use schema::PublicKey;
use schema::ack::Boot;
use schema::keys::{InvalidSecretKey, SecretKey};
use zeroize::Zeroizing;

use crate::disk;
use crate::state::{LockError, StateFolder};

/// The agent's key, and the run that it is in.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) key: SecretKey,
    /// Drawn at each start, so that whoever gathers acks can tell the runs apart.
    pub(crate) boot: Boot,
}

impl Identity {
    /// Reads the key in `state`, or makes it where there is none. Blocks.
    ///
    /// A damaged key is set aside and replaced: acks are only words, and no reason to leave a host without configuration.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub(crate) fn open(state: &StateFolder) -> Result<Identity, IdentityError> {
        let path = place(state.path());
        let key = match read(&path) {
            Ok(Some(key)) => key,
            Ok(None) => make(&path)?,
            Err(IdentityError::Unusable { source: InvalidSecretKey::Malformed, .. }) => {
                let aside = path.with_extension("key.damaged");
                let io = |source| IdentityError::Io { path: path.clone(), source };
                disk::rename(&path, &aside).map_err(io)?;
                let key = make(&path)?;
                tracing::error!(
                    public_key = %key.public(), aside = %aside.display(),
                    "The identity key was damaged and a new one is made: this agent must be enrolled again where keys are registered"
                );
                key
            }
            Err(error) => return Err(error),
        };
        Ok(Identity { key, boot: Boot::new(fastrand::u128(..)) })
    }
}

/// The public key of the agent whose state folder is `state`. Makes the key where there is none yet, so that an agent can be
/// enrolled before its first start. Blocks.
///
/// # Errors
/// [`IdentityError`].
pub fn identity(state: &Path) -> Result<PublicKey, IdentityError> {
    // Without the lock where there is a key: an agent may be running on it.
    if let Some(key) = read(&place(state))? {
        return Ok(key.public().clone());
    }
    let state = StateFolder::lock(state)?;
    Ok(Identity::open(&state)?.key.public().clone())
}

/// Says why there is no key to sign acks with.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It cannot be read or written.
    #[error("identity key `{}` cannot be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is no key, or one with a password.
    #[error("identity key `{}` cannot be used; move it away and a new one is made, which must be enrolled anew", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: InvalidSecretKey,
    },
    /// There is none, and it cannot be made.
    #[error(transparent)]
    Lock(#[from] LockError),
}

fn place(state: &Path) -> PathBuf {
    state.join("identity.key")
}

fn read(path: &Path) -> Result<Option<SecretKey>, IdentityError> {
    let io = |source| IdentityError::Io { path: path.to_owned(), source };
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(io)?,
    };
    if file.metadata().map_err(io)?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            "Others than the owner can read the identity key; take that right away, and if they did read it, make a new key"
        );
    }
    // With room from the start, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(TEXT_MAX_BYTES as usize));
    file.take(TEXT_MAX_BYTES).read_to_end(&mut text).map_err(io)?;
    let key = str::from_utf8(&text).map_err(|_| InvalidSecretKey::Malformed).and_then(SecretKey::from_file_text);
    key.map(Some).map_err(|source| IdentityError::Unusable { path: path.to_owned(), source })
}

/// Makes the key durable before anybody can learn of it. Whoever has the name first has it for good.
fn make(path: &Path) -> Result<SecretKey, IdentityError> {
    let io = |source| IdentityError::Io { path: path.to_owned(), source };
    let key = SecretKey::generate();
    let next = path.with_extension("key.next");
    // A crash before the rename leaves no key, and this behind.
    disk::remove_if_there(&next).map_err(io)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next).map_err(io)?;
    file.write_all(key.to_file_text().as_bytes()).map_err(io)?;
    disk::sync(&next).map_err(io)?;
    disk::rename(&next, path).map_err(io)?;
    disk::sync(disk::folder_of(path)).map_err(io)?;
    Ok(key)
}

/// Several times what a key takes.
const TEXT_MAX_BYTES: u64 = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_known_before_the_first_start() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let told = identity(folder.path()).expect("a first key");
        let state = StateFolder::lock(folder.path()).expect("nobody else has it");
        let (first, second) = (Identity::open(&state), Identity::open(&state));
        let (first, second) = (first.expect("the same key"), second.expect("the same key"));
        assert_eq!((first.key.public(), second.key.public()), (&told, &told));
        assert_ne!(first.boot, second.boot);
        assert_eq!(identity(folder.path()).expect("while an agent has the folder"), told);
        let mode = fs::metadata(place(folder.path())).expect("a key").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_set_aside_and_one_with_a_password_is_not_touched() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let state = StateFolder::lock(folder.path()).expect("nobody else has it");
        fs::write(place(folder.path()), "untrusted comment: torn\nRWQ").expect("a small file");
        let made = Identity::open(&state).expect("a new key");
        assert_eq!(Identity::open(&state).expect("the new key").key.public(), made.key.public());
        let aside = fs::read_to_string(folder.path().join("identity.key.damaged")).expect("set aside");
        assert_eq!(aside, "untrusted comment: torn\nRWQ");
        let (protected, _) = SecretKey::generate_protected("correct horse");
        fs::write(place(folder.path()), protected.as_bytes()).expect("a small file");
        let refused = Identity::open(&state).expect_err("a password is nowhere to be had");
        let IdentityError::Unusable { source, .. } = refused else { panic!("{refused}") };
        assert_eq!(source, InvalidSecretKey::Protected);
    }
}
