//! Writes to a socket what it takes, and hangs up, without waiting for anything.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

/// What became of bytes.
#[derive(Debug)]
pub(super) enum Wrote {
    All,
    /// So many of them; the kernel takes no more for now.
    Some(usize),
    /// Nobody will ever read them.
    Broken,
}

/// Gives `bytes` to the kernel, in one call if it takes them.
pub(super) fn write(mut stream: &TcpStream, bytes: &[u8]) -> Wrote {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(0) => return Wrote::Broken,
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Wrote::Some(written),
            Err(_) => return Wrote::Broken,
        }
    }
    Wrote::All
}

/// Says that nothing more comes. What the client has said meanwhile is read first: closing on unread bytes would take back what
/// was written.
pub(super) fn hang_up(mut stream: &TcpStream) {
    // Whoever is gone need not be told.
    let _ = stream.shutdown(Shutdown::Write);
    let mut unread = [0; 4096];
    let rest = (0..UNREAD_MAX).take_while(|_| stream.read(&mut unread).is_ok_and(|read| read > 0));
    rest.for_each(drop);
}

/// Buffers of what was said too early; who says more than that does not listen.
const UNREAD_MAX: usize = 16;
