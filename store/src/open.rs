//! Opens a store from its URL.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::directory::Directory;
use crate::url::Place;
use crate::{Store, StoreUrl};

/// Says why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or read.
    #[error("directory `{}` cannot be a store", .path.display())]
    Directory {
        /// As the URL names it.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The client of the bucket cannot be set up: credentials half given, no certificates.
    #[error("bucket `{url}` cannot be a store")]
    Bucket {
        /// Its URL.
        url: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// This program was built without buckets.
    #[error("`{url}` is a bucket, and this program was built without feature `s3`")]
    NoBuckets {
        /// Its URL.
        url: String,
    },
}

impl Store {
    /// Opens the store at `url`.
    ///
    /// Makes the directory, durably, if it is absent. For a bucket nothing is asked of the network yet; credentials are
    /// taken from the usual `AWS_*` variables, and where those are unset from the machine's own metadata service.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(url: &StoreUrl) -> Result<Store, OpenError> {
        match url.place() {
            Place::Directory(path) => {
                let opened = Directory::open(path);
                let directory = opened.map_err(|source| OpenError::Directory { path: path.clone(), source })?;
                let root = directory.root().into();
                Ok(Store { directory: Some(root), ..Store::over(Arc::new(directory), &url.to_string()) })
            }
            #[cfg(feature = "s3")]
            Place::Bucket(bucket) => {
                let opened = crate::bucket::open(bucket, |name| std::env::var(name).ok());
                let bucket = opened.map_err(|source| OpenError::Bucket { url: url.to_string(), source })?;
                Ok(Store::over(bucket, &url.to_string()))
            }
            #[cfg(not(feature = "s3"))]
            Place::Bucket(_) => Err(OpenError::NoBuckets { url: url.to_string() }),
        }
    }
}
