//! Where a download goes, and the thread that writes it there.
//!
//! In: pieces of a body. Out: the sink, and the sha256 of all that was written. Hashing and writing are the blocking half
//! of a download, so they have a thread of the blocking pool, fed through a short queue.

use std::fs::File;
use std::io::{self, Seek, Write};

use bytes::Bytes;
use schema::Digest;
use schema::digest::Hasher;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Something that is written front to back, and can be begun anew when a mirror turns out to be wrong.
pub trait Sink: Write + Send + 'static {
    /// Forgets what was written; the next byte is the first.
    ///
    /// # Errors
    /// Whatever the sink is made of says.
    fn restart(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn restart(&mut self) -> io::Result<()> {
        self.set_len(0)?;
        self.rewind()
    }
}

impl Sink for Vec<u8> {
    fn restart(&mut self) -> io::Result<()> {
        self.clear();
        Ok(())
    }
}

/// A sink that is being written. Dropped, it still writes what is queued, and then ends.
pub(crate) struct Writing<S> {
    chunks: mpsc::Sender<Bytes>,
    thread: JoinSet<io::Result<(S, Digest)>>,
}

/// Says that the sink refused a write; [`Writing::finish`] says why.
#[derive(Debug)]
pub(crate) struct Stopped;

impl<S: Sink> Writing<S> {
    /// Restarts the sink and waits for the first piece.
    pub(crate) fn begin(mut sink: S) -> Writing<S> {
        let (chunks, mut queue) = mpsc::channel::<Bytes>(QUEUE);
        let mut thread = JoinSet::new();
        thread.spawn_blocking(move || {
            let mut hasher = Hasher::default();
            sink.restart()?;
            while let Some(chunk) = queue.blocking_recv() {
                hasher.update(&chunk);
                sink.write_all(&chunk)?;
            }
            sink.flush()?;
            Ok((sink, hasher.finish()))
        });
        Writing { chunks, thread }
    }

    /// Queues a piece, waiting while the queue is full.
    pub(crate) async fn write(&mut self, chunk: Bytes) -> Result<(), Stopped> {
        self.chunks.send(chunk).await.map_err(|_| Stopped)
    }

    /// Waits until everything queued is written.
    ///
    /// # Errors
    /// The first refusal of the sink.
    pub(crate) async fn finish(mut self) -> io::Result<(S, Digest)> {
        drop(self.chunks);
        let ended = self.thread.join_next().await.expect("one thread was started, and nobody joined it before");
        ended.unwrap_or_else(|ended| Err(io::Error::other(ended)))
    }
}

/// Pieces in flight between the network and the disk; each is at most what hyper reads ahead, 64 KiB.
const QUEUE: usize = 8;
