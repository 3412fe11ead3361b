//! A program and whatever it starts, as one process group that ends when this is dropped.

use std::io;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;

/// How much of what a program writes is kept, in bytes.
const SAID_MAX: usize = 4096;

/// A program that was started in a process group of its own, with its standard error piped.
pub(crate) struct Group {
    child: Child,
    id: Option<Pid>,
}

impl Group {
    pub(crate) fn of(child: Child) -> Group {
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Group { child, id }
    }

    /// Waits for the program to end, and gives the start of what it wrote to standard error.
    pub(crate) async fn end(mut self) -> io::Result<(ExitStatus, Vec<u8>)> {
        let stderr = self.child.stderr.take().expect("stderr is piped");
        let said = read_start(stderr).await?;
        Ok((self.child.wait().await?, said))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // Fails where all of the group have ended, which is as good.
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

/// Reads to the end and keeps the start.
async fn read_start(mut from: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let length = from.read(&mut chunk).await?;
        if length == 0 {
            return Ok(kept);
        }
        let room = SAID_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&chunk[..length.min(room)]);
    }
}
