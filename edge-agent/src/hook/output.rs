//! The end of what a hook prints. Everything before it is read and forgotten, so that a flood neither blocks the hook
//! nor fills the memory.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use tokio::net::unix::pipe::Receiver;

/// The read end of the pipe that is a hook's standard output and standard error.
pub(super) struct Output {
    pipe: Receiver,
    end: VecDeque<u8>,
}

impl Output {
    /// Opens a pipe, and gives its write end twice.
    pub(super) fn open() -> io::Result<(Output, Stdio, Stdio)> {
        let (reader, writer) = io::pipe()?;
        let pipe = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok((Output { pipe, end: VecDeque::new() }, writer.try_clone()?.into(), writer.into()))
    }

    /// Reads until nobody can write any more.
    pub(super) async fn read_to_end(&mut self) {
        while self.pipe.readable().await.is_ok() {
            if !self.read_some(CHUNKS_AT_ONCE) {
                return;
            }
        }
    }

    /// Reads what is in the pipe now, and no more than a pipe can hold.
    pub(super) fn read_what_is_there(&mut self) {
        self.read_some(CHUNKS_IN_A_PIPE);
    }

    /// The last bytes as text that is safe to show.
    pub(super) fn end(self) -> String {
        let bytes: Vec<u8> = self.end.into();
        String::from_utf8_lossy(&bytes).trim().escape_debug().to_string()
    }

    /// Reads at most `chunks` times; false when the pipe has come to its end.
    fn read_some(&mut self, chunks: usize) -> bool {
        let mut chunk = [0; CHUNK];
        for _ in 0..chunks {
            match self.pipe.try_read(&mut chunk) {
                Ok(0) => return false,
                Ok(length) => self.keep(&chunk[..length]),
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.end.extend(bytes);
        let surplus = self.end.len().saturating_sub(KEPT);
        self.end.drain(..surplus);
    }
}

/// Bytes of output that are kept.
const KEPT: usize = 2 * 1024;
const CHUNK: usize = 4 * 1024;
/// Between two looks at the clock.
const CHUNKS_AT_ONCE: usize = 16;
/// A pipe holds at most 1 MiB.
const CHUNKS_IN_A_PIPE: usize = 256;
