//! Reads objects: whole and bounded, only if changed, or as a stream.
//!
//! In: a [`StorePath`] and how many bytes are welcome. Out: the object, or that it is certainly absent. A read is tried
//! once (a bucket's client repeats what may be repeated); who needs the answer asks again.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use object_store::path::Path;
use object_store::{Error as Cause, GetOptions, GetRange, GetResult};
use schema::StorePath;
use tokio::time::timeout;

use crate::error::{Doing, Failure, StoreError};
use crate::patience::{STALL, allowance};
use crate::{Store, body};

/// An object as it stood when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// All of its bytes.
    pub bytes: Bytes,
    /// What the storage calls this state of it, quotes included. A pointer's changes whenever its bytes do.
    pub etag: Option<String>,
}

/// What came of [`Store::read_if_changed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// It still has the ETag that was given.
    Unchanged,
    /// It is certainly absent.
    Absent,
    /// It stands there, with another ETag if one was given.
    Object(Object),
}

/// An object, or a part of it, as it comes in.
pub struct Streamed {
    /// Bytes of the whole object.
    pub size: u64,
    /// Which of them the stream carries.
    pub range: Range<u64>,
    /// The bytes. A stream that ends without an error carried exactly `range`; each chunk is awaited for at most 20 s.
    pub stream: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streamed").field("size", &self.size).field("range", &self.range).finish_non_exhaustive()
    }
}

impl Store {
    /// Reads the object at `path`, or finds it certainly absent.
    ///
    /// # Errors
    ///
    /// [`Failure::TooLarge`], before a byte of it is kept, if it has more than `max_bytes`. Anything else that is no answer.
    pub async fn read(&self, path: &StorePath, max_bytes: u64) -> Result<Option<Object>, StoreError> {
        match self.read_if_changed(path, max_bytes, None).await? {
            Read::Object(object) => Ok(Some(object)),
            Read::Absent | Read::Unchanged => Ok(None),
        }
    }

    /// Reads the object at `path` unless it still has `etag`.
    ///
    /// # Errors
    ///
    /// As [`Store::read`].
    pub async fn read_if_changed(
        &self,
        path: &StorePath,
        max_bytes: u64,
        etag: Option<&str>,
    ) -> Result<Read, StoreError> {
        self.fetch(path, max_bytes, etag).await.map_err(|kind| self.error(Doing::Read, path, kind))
    }

    /// Opens the object at `path` for streaming: all of it, or as much of `range` as it has.
    ///
    /// The answer tells `size` and `range` before the bytes come. Nothing bounds them, so look at those first.
    ///
    /// # Errors
    ///
    /// [`Failure::OutOfRange`] if `range` is empty or starts behind the object's end. Anything else that is no answer.
    pub async fn stream(&self, path: &StorePath, range: Option<Range<u64>>) -> Result<Option<Streamed>, StoreError> {
        let opened = self.open_stream(path, range).await.map_err(|kind| self.error(Doing::Read, path, kind))?;
        let Some(got) = opened else { return Ok(None) };
        let (size, range) = (got.meta.size, got.range.clone());
        let (store, path) = (self.clone(), path.clone());
        let stream = body::stream(got).map(move |chunk| chunk.map_err(|kind| store.error(Doing::Read, &path, kind)));
        Ok(Some(Streamed { size, range, stream: stream.boxed() }))
    }

    pub(crate) async fn fetch(&self, path: &StorePath, max_bytes: u64, etag: Option<&str>) -> Result<Read, Failure> {
        let after = allowance(max_bytes);
        let fetching = async {
            let options = GetOptions { if_none_match: etag.map(str::to_owned), ..GetOptions::default() };
            let got = match self.objects.get_opts(&at(path), options).await {
                Err(Cause::NotModified { .. }) if etag.is_some() => return Ok(Read::Unchanged),
                Err(Cause::NotFound { .. }) => return Ok(Read::Absent),
                got => got?,
            };
            if etag.is_some() && etag == got.meta.e_tag.as_deref() {
                // Some servers pass over If-None-Match.
                return Ok(Read::Unchanged);
            }
            if got.meta.size > max_bytes {
                return Err(Failure::TooLarge { size: got.meta.size, max_bytes });
            }
            let etag = got.meta.e_tag.clone();
            Ok(Read::Object(Object { bytes: body::collect(got).await?, etag }))
        };
        timeout(after, fetching).await.unwrap_or(Err(Failure::TimedOut { after }))
    }

    async fn open_stream(&self, path: &StorePath, range: Option<Range<u64>>) -> Result<Option<GetResult>, Failure> {
        let options = GetOptions { range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
        match (self.begin(path, options).await, range) {
            (Err(failure), Some(range)) => {
                // Each backend says in a way of its own that it has no such range, so the size has to tell.
                let whole = self.begin(path, GetOptions { head: true, ..GetOptions::default() }).await?;
                match whole.map(|whole| whole.meta.size) {
                    Some(size) if range.start >= size || range.is_empty() => {
                        Err(Failure::OutOfRange { start: range.start, size })
                    }
                    _ => Err(failure),
                }
            }
            (opened, _) => opened,
        }
    }

    async fn begin(&self, path: &StorePath, options: GetOptions) -> Result<Option<GetResult>, Failure> {
        match timeout(STALL, self.objects.get_opts(&at(path), options)).await {
            Err(_elapsed) => Err(Failure::TimedOut { after: STALL }),
            Ok(Err(Cause::NotFound { .. })) => Ok(None),
            Ok(got) => Ok(Some(got?)),
        }
    }
}

/// `path` as `object_store` wants it; a store path has nothing to escape.
pub(crate) fn at(path: &StorePath) -> Path {
    Path::from(path.to_string())
}
