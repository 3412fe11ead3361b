//! Where bundles, manifests, pointers and history live: a directory or a bucket.
//!
//! In: [`StorePath`]s and bytes. Out: what stands there, or one [`StoreError`] that names object and store. This is the
//! one place that talks to object storage; publishers write through it and gateways read through it. It verifies nothing
//! and parses nothing: bytes come out as they went in, never more of them than the caller allows.
//!
//! Two promises carry the rest of Driftless. *Create-only*: of all writers of one path exactly one wins, and every other
//! learns what won ([`Store::create`]). *An error never means empty*: absence is reported only where the storage said so.
//!
//! Where to start reading: `reaction.rs` (what follows from each answer to a write), then `pursuit.rs` and `write.rs`.

mod body;
#[cfg(feature = "s3")]
mod bucket;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod directory;
mod error;
#[cfg(any(test, feature = "conformance"))]
pub mod faulty;
mod list;
mod open;
mod patience;
mod pursuit;
mod reaction;
mod read;
mod refusal;
mod url;
mod watch;
mod write;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
pub use schema::StorePath;

pub use crate::error::{Doing, Failure, StoreError};
pub use crate::list::Seals;
pub use crate::open::OpenError;
pub use crate::patience::RESOLVE_WITHIN;
pub use crate::read::{Object, Read, Streamed};
pub use crate::url::{InvalidStoreUrl, StoreUrl};
pub use crate::watch::Watch;
pub use crate::write::{Created, PointerWrite};

/// A store: cheap to clone, and every clone is the same store.
///
/// Operations are futures that may be dropped. A dropped read costs nothing; a dropped write may take effect later, as a
/// write whose answer was lost does, so whoever drops one reads before it writes again.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    name: Arc<str>,
    directory: Option<Arc<Path>>,
}

impl Store {
    /// Wraps any object storage; `name` is what errors and logs call it.
    ///
    /// It must create only what is absent, and replace only what has the ETag it is given, as S3 does. Tests use this to
    /// put a `faulty` storage in the place of a good one.
    pub fn over(objects: Arc<dyn ObjectStore>, name: &str) -> Store {
        Store { objects, name: name.into(), directory: None }
    }

    /// The directory whose files are the objects, or nothing for a bucket.
    ///
    /// Read from it as much as you like; writes that go around the store are not atomic, durable or create-only.
    pub fn local_path(&self) -> Option<&Path> {
        self.directory.as_deref()
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

// Written by hand: a client's own `Debug` is not ours to vouch for, and it holds credentials.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.name).finish()
    }
}
