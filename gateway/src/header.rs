//! A stream on which a request's header, once begun, must be whole in time.
//!
//! Hyper has one deadline for both an idle connection and a slow header. An idle connection is worth keeping for long, a
//! header that comes byte by byte is not worth much, so hyper's deadline is the one for idleness and this is the other. It
//! runs from the first byte of a header (on a new connection: from the start) until hyper has it whole, and never while a
//! request is answered.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What a stream and those who answer on it know of each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// How often answering began and ended: odd while a request is answered.
    turn: AtomicUsize,
    /// Whether the last write was put off: bytes of an answer are still with hyper.
    put_off: AtomicBool,
}

/// A request is being answered for as long as this lives.
#[derive(Debug)]
pub(crate) struct Answering(Turns);

impl Turns {
    /// Notes that a header is whole, and that its request is now answered.
    pub(crate) fn answer(&self) -> Answering {
        self.0.turn.fetch_add(1, Ordering::Relaxed);
        Answering(self.clone())
    }

    /// Whether all that hyper wrote was taken.
    pub(crate) fn all_written(&self) -> bool {
        !self.0.put_off.load(Ordering::Relaxed)
    }

    fn now(&self) -> usize {
        self.0.turn.load(Ordering::Relaxed)
    }

    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        self.0.put_off.store(written.is_pending(), Ordering::Relaxed);
        written
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.turn.fetch_add(1, Ordering::Relaxed);
    }
}

/// A stream whose headers do not take for ever.
#[derive(Debug)]
pub(crate) struct HeaderDeadline<S> {
    stream: S,
    within: Duration,
    turns: Turns,
    /// Of the header that is under way, and the turn it was set in; in any other turn it means nothing.
    deadline: Option<(usize, Pin<Box<Sleep>>)>,
}

impl<S> HeaderDeadline<S> {
    pub(crate) fn new(stream: S, within: Duration, turns: Turns) -> HeaderDeadline<S> {
        let mut stream = HeaderDeadline { stream, within, turns, deadline: None };
        stream.begin(stream.turns.now());
        stream
    }

    /// The stream itself.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    fn begin(&mut self, turn: usize) {
        if self.deadline.is_none() {
            self.deadline = Some((turn, Box::pin(sleep_until(Instant::now() + self.within))));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeaderDeadline<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buf);
        let turn = this.turns.now();
        this.deadline.take_if(|(set_in, _)| *set_in != turn);
        let answering = turn % 2 == 1;
        if answering {
            return read;
        }
        if read.is_ready() {
            if buf.filled().len() > before {
                this.begin(turn);
            }
            return read;
        }
        let Some((_, deadline)) = &mut this.deadline else { return Poll::Pending };
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the header does not come")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeaderDeadline<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buf);
        self.turns.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bufs);
        self.turns.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(10);
    const LONG: Duration = Duration::from_secs(3600);

    fn connection() -> (HeaderDeadline<DuplexStream>, DuplexStream, Turns) {
        let ((ours, theirs), turns) = (duplex(64), Turns::default());
        (HeaderDeadline::new(ours, WITHIN, turns.clone()), theirs, turns)
    }

    async fn assert_cut_after(stream: &mut HeaderDeadline<DuplexStream>, wait: Duration) {
        let began = Instant::now();
        let cut = stream.read_u8().await.expect_err("it takes too long");
        assert_eq!((cut.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, wait.as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn a47_a_new_connection_has_the_deadline_for_its_first_header() {
        let (mut stream, mut client, _turns) = connection();
        tokio::time::sleep(WITHIN / 2).await;
        client.write_u8(b'G').await.expect("a byte");
        stream.read_u8().await.expect("a byte");
        assert_cut_after(&mut stream, WITHIN / 2).await;
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_request_is_answered_and_between_two_there_is_no_deadline() {
        let (mut stream, mut client, turns) = connection();
        let answering = turns.answer();
        client.write_u8(b'{').await.expect("a byte of a body");
        stream.read_u8().await.expect("a byte of a body");
        assert!(timeout(LONG, stream.read_u8()).await.is_err(), "nothing came, and nothing was cut");
        drop(answering);
        assert!(timeout(LONG, stream.read_u8()).await.is_err(), "nothing came, and nothing was cut");
        client.write_u8(b'G').await.expect("a byte");
        stream.read_u8().await.expect("a byte");
        assert_cut_after(&mut stream, WITHIN).await;
    }

    #[tokio::test(start_paused = true)]
    async fn every_header_has_a_deadline_of_its_own() {
        let (mut stream, mut client, turns) = connection();
        for _ in 0..3 {
            tokio::time::sleep(WITHIN * 2 / 3).await;
            client.write_u8(b'G').await.expect("a byte");
            stream.read_u8().await.expect("a byte");
            drop(turns.answer());
        }
        client.write_u8(b'G').await.expect("a byte");
        stream.read_u8().await.expect("a byte");
        assert_cut_after(&mut stream, WITHIN).await;
    }
}
