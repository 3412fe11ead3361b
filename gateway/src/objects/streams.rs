//! What is large is sent in small pieces, and as fast as a client takes them, but no slower than the floor.
//!
//! In: a file that was found, and which part of it, or bytes that are kept in memory. Out: the bytes as a client takes them. Of files
//! so many are read at a time; who comes beyond the limit waits in line, not for long. A client that takes less than the floor loses
//! its place, or what is kept for it, so that slow ones do not keep others waiting. What it has not read by then is its own: a few
//! pieces that nobody else waits for.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::{File, Miss, PATIENCE};
use crate::metrics::Counted;

/// Who is being sent what is large.
#[derive(Debug)]
pub(super) struct Streams {
    places: Arc<Semaphore>,
    senders: Mutex<JoinSet<()>>,
}

/// The bytes of a part of an object. It ends early where the client was too slow or the file breaks off.
pub(crate) type Pieces = BoxStream<'static, io::Result<Bytes>>;

impl Streams {
    pub(super) fn new(places: usize) -> Streams {
        Streams { places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))), senders: Mutex::default() }
    }

    /// Waits for a place, and then reads `len` bytes of `file` from `start` on. What `counted` gives lives for as long as the place is
    /// taken.
    ///
    /// # Errors
    /// [`Miss::Crowded`], and whatever is wrong with the file.
    pub(super) async fn read(
        &self,
        file: &File,
        start: u64,
        len: u64,
        counted: impl FnOnce() -> Counted,
    ) -> Result<Pieces, Miss> {
        let place = timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await.map_err(|_| Miss::Crowded)?;
        let place = (place.expect("nobody closes the semaphore"), counted());
        let range = (len > 0).then(|| start..start + len);
        let opened = file.store.stream(&file.path, range).await.map_err(|error| Miss::bad(&error))?;
        Ok(self.send(opened.ok_or(Miss::Absent)?.stream, place))
    }

    /// Sends `bytes` that others share. Each piece is a copy, so that they are let go of when the last one is taken or the client
    /// is too slow, whatever is still on its way then.
    pub(super) fn pace(&self, bytes: Bytes) -> Pieces {
        let starts = (0..bytes.len()).step_by(PIECE_BYTES);
        let pieces =
            starts.map(move |at| Bytes::copy_from_slice(&bytes[at..bytes.len().min(at.saturating_add(PIECE_BYTES))]));
        self.send(stream::iter(pieces.map(Ok::<_, Infallible>)), ())
    }

    /// Passes on what `from` gives, and holds `place` for as long as that takes.
    fn send<E>(
        &self,
        from: impl Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
        place: impl Send + 'static,
    ) -> Pieces
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let (pieces, taken) = mpsc::channel(PIECES_AHEAD);
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        while senders.try_join_next().is_some() {}
        senders.spawn(send(from, pieces, place));
        stream::unfold(taken, async |mut taken| Some((taken.recv().await?, taken))).boxed()
    }
}

/// Passes on piece by piece for as long as somebody takes enough of it.
async fn send<E: std::error::Error + Send + Sync + 'static>(
    mut from: impl Stream<Item = Result<Bytes, E>> + Unpin,
    pieces: mpsc::Sender<io::Result<Bytes>>,
    _place: impl Send,
) {
    let mut deadline = Instant::now() + SLOW_FOR;
    while let Some(piece) = from.next().await {
        let length = piece.as_ref().map_or(0, Bytes::len);
        // Who was fast before has no more time for that than anybody.
        deadline = deadline.min(Instant::now() + SLOW_FOR);
        deadline += Duration::from_secs_f64(length as f64 / FLOOR_BYTES_PER_SECOND);
        match timeout_at(deadline, pieces.send(piece.map_err(io::Error::other))).await {
            Ok(Ok(())) => {}
            // Gone, or as good as gone.
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// Bytes of a piece of what is kept: enough to be worth a write, and few enough for thousands of clients to have some.
pub(super) const PIECE_BYTES: usize = 16 * 1024;
/// Pieces that are made before the client takes them; those of files have a few KiB each.
const PIECES_AHEAD: usize = 4;
/// The least that an honest client takes, which is what agents expect of mirrors as well.
const FLOOR_BYTES_PER_SECOND: f64 = 10.0 * 1024.0;
/// How far a client may fall behind that.
const SLOW_FOR: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: usize = 100 * PIECE_BYTES;

    #[tokio::test(start_paused = true)]
    async fn what_is_paced_comes_whole_to_whoever_takes_enough() {
        let streams = Streams::new(1);
        let bytes: Bytes = (0..LENGTH + 1).map(|at| at.to_le_bytes()[at % 3]).collect();
        let mut paced = streams.pace(bytes.clone());
        let mut read = Vec::new();
        while let Some(piece) = paced.next().await {
            read.extend_from_slice(&piece.expect("a piece"));
            // A little faster than the floor.
            tokio::time::sleep(Duration::from_secs_f64(PIECE_BYTES as f64 / FLOOR_BYTES_PER_SECOND * 0.9)).await;
        }
        assert_eq!(read, bytes);
    }

    #[tokio::test(start_paused = true)]
    async fn a47_who_hardly_reads_does_not_keep_the_bytes_that_all_share() {
        let (streams, bytes) = (Streams::new(1), Bytes::from(vec![b'x'; LENGTH]));
        // One takes nothing, one takes half at once and nothing more, one takes far too little.
        let mut idle = streams.pace(bytes.clone());
        let mut stopped = streams.pace(bytes.clone());
        for _ in 0..50 {
            stopped.next().await.expect("more").expect("a piece");
        }
        let mut slow = streams.pace(bytes.clone());
        assert!(!bytes.is_unique());
        let dribble = async {
            let mut taken = 0;
            while let Some(piece) = slow.next().await {
                taken += piece.expect("a piece").len();
                tokio::time::sleep(SLOW_FOR / 2).await;
            }
            taken
        };
        assert!(dribble.await < LENGTH, "it was given up on");
        assert!(bytes.is_unique(), "nobody has them any more, though two have something to read");
        for given_up in [&mut idle, &mut stopped] {
            assert!(given_up.count().await <= PIECES_AHEAD);
        }
    }
}
