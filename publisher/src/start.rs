//! Puts a publisher together from its configuration: the only errors that end a daemon are found here.

use std::io;
use std::path::PathBuf;

use schema::keys::InvalidSecretKey;
use store::{OpenError, Store};

use crate::config::{Config, ConfigError};
use crate::keys::{KeyError, Keys, Role};
use crate::kind::ErrorKind;
use crate::publisher::Publisher;
use crate::trust::{self, RootFileError};

impl Publisher {
    /// Opens the store and reads the trust root and the keys that `config` names, as far as its duty needs them. Blocks; asks
    /// nothing of the network but what a program does that was named as the source of a key.
    ///
    /// # Errors
    /// [`StartError`] names the file or setting that is in the way.
    pub fn open(config: &Config) -> Result<Publisher, StartError> {
        let root = trust::load(&config.root)?;
        let keys = Keys::load(&config.keys, config.duty)?;
        let store = Store::open(&config.store)?;
        Ok(Publisher::new(store, root, keys, config.duty, config.freshness()).with_patches(config.patches))
    }

    /// As [`Publisher::open`], without any keys: for reading.
    ///
    /// # Errors
    /// [`StartError`] names the file or setting that is in the way.
    pub fn open_to_read(config: &Config) -> Result<Publisher, StartError> {
        let root = trust::load(&config.root)?;
        let store = Store::open(&config.store)?;
        Ok(Publisher::new(store, root, Keys::default(), config.duty, config.freshness()))
    }
}

/// Says why a publisher cannot start. Trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The trust root file.
    #[error(transparent)]
    Root(#[from] RootFileError),
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The state folder.
    #[error("the state folder `{}` cannot be made", path.display())]
    State {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Unexpected
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        match self {
            StartError::Key(KeyError::Missing { role }) => Some(format!(
                "name one under `keys` in publisher.yaml; or, where another process has that role, say there which one is this \
                 process's: `role: {other}`",
                other = if *role == Role::Release { Role::Pointer } else { Role::Release },
            )),
            StartError::Key(KeyError::Invalid { source: InvalidSecretKey::Protected, .. }) => {
                Some("say under `keys` in publisher.yaml where its `password` is".to_owned())
            }
            StartError::Root(RootFileError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Some(
                    "`driftless init` makes a root and keys for a first try; otherwise name a root that agents trust"
                        .to_owned(),
                )
            }
            _ => None,
        }
    }
}
