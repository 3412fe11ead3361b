//! Puts a publisher together from its configuration: the only errors that end a daemon are found here.

use std::path::PathBuf;

use store::{OpenError, Store};

use crate::config::{Config, ConfigError};
use crate::keys::{KeyFileError, Keys, UntrustedKey};
use crate::kind::ErrorKind;
use crate::publisher::Publisher;
use crate::trust::{self, RootFileError};

impl Publisher {
    /// Opens the store and reads the trust root and the keys that `config` names. Blocks; asks nothing of the network.
    ///
    /// # Errors
    /// [`StartError`] names the file or setting that is in the way.
    pub fn open(config: &Config) -> Result<Publisher, StartError> {
        let root = trust::load(&config.root)?;
        let keys = Keys::load(&config.keys)?;
        let store = Store::open(&config.store)?;
        Ok(Publisher::new(store, root, keys, config.freshness())?)
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
    Key(#[from] KeyFileError),
    /// Keys and root do not go together.
    #[error(transparent)]
    UntrustedKey(#[from] UntrustedKey),
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
        source: std::io::Error,
    },
}

impl StartError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            StartError::UntrustedKey(_) => ErrorKind::Refused,
            _ => ErrorKind::Unexpected,
        }
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        match self {
            StartError::UntrustedKey(_) => {
                Some("use the keys that the root lists, or sign a root that lists these".to_owned())
            }
            StartError::Root(_) | StartError::Key(_) => {
                Some("`driftless init` makes a root and keys for a first try".to_owned())
            }
            _ => None,
        }
    }
}
