//! A directory that keeps the promises of a bucket: create-only, compare-and-swap, durable before it answers.
//!
//! In and out: the calls of [`ObjectStore`]. Files, listings and atomic creation are `object_store`'s own
//! [`LocalFileSystem`], which syncs what it writes. This adds what that lacks: folders whose own entry may not be durable
//! yet, an existing file that its maker did not live to sync, replacing only what was seen, and telling a directory that
//! is gone from one that is empty.

mod durable;
mod swap;

use std::error::Error;
use std::fmt;
use std::fs::Metadata;
use std::future::ready;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, once};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{
    CopyOptions, Error as Cause, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use schema::Limits;

use self::durable::Entries;
use crate::refusal::{self, Refusal};

/// A directory whose files are objects.
#[derive(Debug)]
pub(crate) struct Directory {
    root: Arc<Path>,
    /// Device and inode of the root when it was opened: a file system mounted in its place may have the same inode.
    identity: (u64, u64),
    files: LocalFileSystem,
    entries: Arc<Entries>,
}

impl Directory {
    /// Opens the directory at `path`, and makes it, durably, if it is absent.
    pub(crate) fn open(path: &Path) -> io::Result<Directory> {
        durable::create_dir_all(path)?;
        let root: Arc<Path> = path.canonicalize()?.into();
        let identity = identity(&root.metadata()?);
        let files = LocalFileSystem::new_with_prefix(&root)?.with_fsync(true);
        let entries = Arc::new(Entries::below(Arc::clone(&root)));
        Ok(Directory { root, identity, files, entries })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

#[async_trait]
impl ObjectStore for Directory {
    async fn put_opts(&self, location: &Location, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.present()?;
        let file = self.files.path_to_filesystem(location)?;
        let entries = Arc::clone(&self.entries);
        let put = match options.mode {
            PutMode::Update(version) => {
                let (root, file) = (Arc::clone(&self.root), file.clone());
                blocking(move || swap::replace(&root, &file, version.e_tag.as_deref(), &Bytes::from(payload))).await
            }
            PutMode::Create | PutMode::Overwrite => self.files.put_opts(location, payload, options).await,
        };
        match put {
            Ok(put) => blocking(move || entries.sync(&file).map_err(generic)).await.map(|()| put),
            // Whoever learns of it may build on it, so it must not go with the power any more.
            Err(exists @ Cause::AlreadyExists { .. }) => {
                blocking(move || durable::sync_entry(&file).and_then(|()| entries.sync(&file)).map_err(generic))
                    .await?;
                Err(exists)
            }
            Err(cause) => Err(cause),
        }
        .map_err(|cause| judged(location, cause))
    }

    async fn get_opts(&self, location: &Location, options: GetOptions) -> Result<GetResult> {
        self.present()?;
        if location.filename() == Some("pointer") {
            return self.get_pointer(location, options).await;
        }
        self.files.get_opts(location, options).await.map_err(|cause| judged(location, cause))
    }

    fn list(&self, prefix: Option<&Location>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.present() {
            Ok(()) => self.files.list(prefix),
            Err(gone) => once(ready(Err(gone))).boxed(),
        }
    }

    fn list_with_offset(&self, prefix: Option<&Location>, offset: &Location) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.present() {
            Ok(()) => self.files.list_with_offset(prefix, offset),
            Err(gone) => once(ready(Err(gone))).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Location>) -> Result<ListResult> {
        self.present()?;
        self.files.list_with_delimiter(prefix).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Location>>) -> BoxStream<'static, Result<Location>> {
        self.files.delete_stream(locations)
    }

    async fn put_multipart_opts(&self, _: &Location, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(self.lacks("writing in parts"))
    }

    async fn copy_opts(&self, _: &Location, _: &Location, _: CopyOptions) -> Result<()> {
        Err(self.lacks("copying"))
    }
}

impl Directory {
    /// Refuses to go on if the directory that was opened is no longer there: unmounted, moved or removed. What is in its
    /// place looks empty, and would be taken for a store where nothing was ever published.
    fn present(&self) -> Result<()> {
        match self.root.metadata() {
            Ok(found) if identity(&found) == self.identity => Ok(()),
            Ok(_) => Err(generic(io::Error::other("another directory is in its place; restart if that is meant"))),
            Err(gone) => Err(generic(gone)),
        }
    }

    /// Reads the one file that changes, whose ETag is its digest. The file system's own (inode, time, size) may come back
    /// when a pointer is replaced twice within a tick of the clock.
    async fn get_pointer(&self, location: &Location, options: GetOptions) -> Result<GetResult> {
        let judge = |cause| judged(location, cause);
        let got = self.files.get_opts(location, GetOptions::default()).await.map_err(judge)?;
        if got.meta.size > Limits::DEFAULT.pointer_max_bytes {
            // Not one of ours; left to whoever reads it to refuse, by its size.
            return self.files.get_opts(location, options).await.map_err(judge);
        }
        let (mut meta, attributes, extensions) = (got.meta.clone(), got.attributes.clone(), got.extensions.clone());
        let bytes = got.bytes().await.map_err(judge)?;
        meta.e_tag = Some(swap::etag(&bytes));
        options.check_preconditions(&meta)?;
        let range = options.range.map_or(Ok(0..meta.size), |range| range.as_range(meta.size)).map_err(generic)?;
        let part = bytes.slice(range.start as usize..range.end as usize);
        let payload = GetResultPayload::Stream(once(ready(Ok(part))).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }

    fn lacks(&self, operation: &str) -> Cause {
        Cause::NotImplemented { operation: operation.to_owned(), implementer: self.to_string() }
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.display().fmt(f)
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}

fn generic(source: impl Error + Send + Sync + 'static) -> Cause {
    Cause::Generic { store: "directory", source: Box::new(source) }
}

/// Tells what a disk will refuse again from what may pass. A failed sync is refused: the kernel forgets such pages, and a
/// second sync would succeed without having written them.
fn judged(location: &Location, cause: Cause) -> Cause {
    if !matches!(cause, Cause::Generic { .. }) {
        return cause;
    }
    let io = refusal::causes(&cause).find_map(|cause| cause.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        None => cause,
        Some(
            ErrorKind::Interrupted
            | ErrorKind::NotFound
            | ErrorKind::ResourceBusy
            | ErrorKind::StaleNetworkFileHandle
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock,
        ) => cause,
        Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            Cause::PermissionDenied { path: location.to_string(), source: Box::new(cause) }
        }
        Some(_) => generic(Refusal::Disk(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, Store, StoreUrl};

    #[tokio::test]
    async fn a_directory_that_is_gone_is_not_an_empty_one() {
        let parent = tempfile::tempdir().expect("a temporary directory");
        let root = parent.path().join("store");
        let store = Store::open(&StoreUrl::directory(&root)).expect("a store");
        assert_eq!(store.apps().await.expect("a listing"), []);

        std::fs::rename(&root, parent.path().join("elsewhere")).expect("it can be moved");
        let gone = store.apps().await.expect_err("it is gone");
        assert!(matches!(gone.kind, Failure::Unreachable(_)), "{gone:?}");
        std::fs::create_dir(&root).expect("it can be made");
        let replaced = store.root_versions().await.expect_err("it is another one");
        assert!(matches!(replaced.kind, Failure::Unreachable(_)), "{replaced:?}");
    }

    #[tokio::test]
    async fn another_file_system_in_its_place_is_not_an_empty_one() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let mut directory = Directory::open(root.path()).expect("a directory");
        // The roots of two file systems often have the same inode.
        directory.identity.0 += 1;
        let replaced = Store::over(Arc::new(directory), "directory").apps().await.expect_err("it is another one");
        assert!(matches!(replaced.kind, Failure::Unreachable(_)), "{replaced:?}");
    }

    #[tokio::test]
    async fn a_disk_that_refuses_is_not_asked_again() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(&StoreUrl::directory(root.path())).expect("a store");
        std::fs::write(root.path().join("v1"), "a file where a folder belongs").expect("it can be written");
        let path = crate::StorePath::Root { version: 1 };
        let refused = store.create(&path, Bytes::from_static(b"root")).await.expect_err("there is no folder");
        assert!(matches!(refused.kind, Failure::Refused(_)) && !refused.is_retryable(), "{refused:?}");
        let refused = store.read(&path, 9).await.expect_err("there is no folder");
        assert!(matches!(refused.kind, Failure::Refused(_)), "{refused:?}");
    }
}
