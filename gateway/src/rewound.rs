//! A stream that first gives bytes which were read from it before.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream, and what was read from it too early.
#[derive(Debug)]
pub(crate) struct Rewound<S> {
    ahead: Bytes,
    stream: S,
}

impl<S> Rewound<S> {
    pub(crate) fn new(ahead: Bytes, stream: S) -> Rewound<S> {
        Rewound { ahead, stream }
    }

    /// Puts `bytes` in front of what comes next.
    pub(crate) fn rewind(&mut self, bytes: Bytes) {
        self.ahead = if self.ahead.is_empty() { bytes } else { [bytes, self.ahead.split_off(0)].concat().into() };
    }

    /// The stream itself.
    pub(crate) fn inner(&self) -> &S {
        &self.stream
    }

    /// What was not read a second time, and the stream itself.
    pub(crate) fn into_parts(self) -> (Bytes, S) {
        (self.ahead, self.stream)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buf);
        }
        let given = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..given]);
        self.ahead.advance(given);
        if self.ahead.is_empty() {
            // An empty remainder would keep all that was there alive.
            self.ahead = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bufs)
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn what_was_read_too_early_comes_first_and_once() {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"the rest").await.expect("room");
        drop(theirs);
        let mut rewound = Rewound::new(Bytes::from_static(b"the beginning, "), ours);
        let mut few = [0; 4];
        rewound.read_exact(&mut few).await.expect("bytes");
        let mut rest = String::new();
        rewound.read_to_string(&mut rest).await.expect("bytes");
        assert_eq!((&few, rest.as_str()), (b"the ", "beginning, the rest"));
        assert!(rewound.into_parts().0.is_empty());
    }
}
