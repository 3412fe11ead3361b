//! A storage that fails when told to, for tests: the request lost, the answer lost, and the ways in between.
//!
//! In: any storage, and a script of [`Fault`]s. Out: the same storage, whose next reads and writes go as the script says,
//! and go well once it has run out.

use std::collections::VecDeque;
use std::fmt;
use std::future::{pending, ready};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt as _, once};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as Cause, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// How one request goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives; the connection is cut.
    RequestLost,
    /// It takes effect, if it can; the connection is cut before the answer.
    ReplyLost,
    /// It never arrives, and nothing tells.
    Hang,
    /// It takes effect, if it can, and nothing tells.
    HangAfter,
    /// It is turned down because another one is in flight.
    Conflict,
    /// It is turned down for good.
    Denied,
}

/// A storage that follows a script of faults.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    reads: VecDeque<Option<Fault>>,
    writes: VecDeque<Option<Fault>>,
    reads_seen: usize,
    writes_seen: usize,
}

impl Faulty {
    /// Wraps `inner`, with an empty script.
    pub fn over(inner: Arc<dyn ObjectStore>) -> Arc<Faulty> {
        Arc::new(Faulty { inner, script: Mutex::default() })
    }

    /// Appends to what happens to the next writes; `None` lets one pass.
    pub fn fail_writes(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.script().writes.extend(faults);
    }

    /// Appends to what happens to the next reads and listings; `None` lets one pass.
    pub fn fail_reads(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.script().reads.extend(faults);
    }

    /// How many reads and listings there were, failed ones included.
    pub fn reads_seen(&self) -> usize {
        self.script().reads_seen
    }

    /// How many writes there were, failed ones included.
    pub fn writes_seen(&self) -> usize {
        self.script().writes_seen
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_read(&self) -> Option<Fault> {
        let mut script = self.script();
        script.reads_seen += 1;
        script.reads.pop_front().flatten()
    }

    fn next_write(&self) -> Option<Fault> {
        let mut script = self.script();
        script.writes_seen += 1;
        script.writes.pop_front().flatten()
    }

    /// Lets `request` go as `fault` says.
    async fn suffer<T>(
        &self,
        fault: Option<Fault>,
        path: &Path,
        request: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match fault {
            None => request.await,
            Some(Fault::RequestLost) => Err(cut()),
            Some(Fault::ReplyLost) => {
                let _lost = request.await;
                Err(cut())
            }
            Some(Fault::Hang) => pending().await,
            Some(Fault::HangAfter) => {
                let _lost = request.await;
                pending().await
            }
            Some(Fault::Conflict) => Err(Cause::AlreadyExists { path: path.to_string(), source: "in flight".into() }),
            Some(Fault::Denied) => Err(Cause::PermissionDenied { path: path.to_string(), source: "denied".into() }),
        }
    }
}

fn cut() -> Cause {
    Cause::Generic { store: "faulty", source: Box::new(io::Error::from(io::ErrorKind::ConnectionReset)) }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.suffer(self.next_write(), path, self.inner.put_opts(path, payload, options)).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.suffer(self.next_write(), path, self.inner.put_multipart_opts(path, options)).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.suffer(self.next_read(), path, self.inner.get_opts(path, options)).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.next_read() {
            None => self.inner.list(prefix),
            // What was listed so far is a part that looks like the whole.
            Some(_) => self.inner.list(prefix).take(1).chain(once(ready(Err(cut())))).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let path = prefix.cloned().unwrap_or_default();
        self.suffer(self.next_read(), &path, self.inner.list_with_delimiter(prefix)).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.suffer(self.next_write(), to, self.inner.copy_opts(from, to, options)).await
    }
}
