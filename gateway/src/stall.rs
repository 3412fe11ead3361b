//! A stream that gives up on a reader who does not read.
//!
//! A write that the kernel does not take a byte of for [`PATIENCE`] fails. Reads are as they are: `header.rs`, the
//! bodies of requests and hyper have deadlines of their own for them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A stream whose writes do not wait for ever.
#[derive(Debug)]
pub(crate) struct Stall<S> {
    stream: S,
    patience: Duration,
    /// Made when a write first has to wait, so that those who only wait to be told something cost nothing.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// How long the kernel may take no byte.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

impl<S> Stall<S> {
    pub(crate) fn new(stream: S, patience: Duration) -> Stall<S> {
        Stall { stream, patience, deadline: None }
    }

    /// The stream itself.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    /// Passes on what a write says, and counts the time that it says "later".
    fn timed(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let patience = self.patience;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the reader does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stall<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buf);
        self.timed(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bufs);
        self.timed(context, written)
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a47_a_reader_who_does_not_read_is_given_up_on() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let mut stalling = Stall::new(ours, PATIENCE);
        let refused = stalling.write_all(&[0; 100]).await.expect_err("nobody reads");
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_waited_for() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut stalling = Stall::new(ours, PATIENCE);
        let reading = async {
            let mut bytes = [0; 10];
            for _ in 0..10 {
                tokio::time::sleep(PATIENCE / 2).await;
                theirs.read_exact(&mut bytes).await.expect("bytes");
            }
        };
        let (written, ()) = tokio::join!(stalling.write_all(&[0; 100]), reading);
        written.expect("all of it");
    }
}
