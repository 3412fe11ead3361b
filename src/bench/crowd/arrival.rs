//! When bytes came: the moment at which this host's kernel had them, whenever they are read.

use std::io::{self, IoSliceMut};
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

/// Nanoseconds since the Unix epoch, by the clock that the kernel stamps packets with.
pub(super) type Nanos = u64;

/// Asks the kernel to remember when bytes come to `socket`.
pub(super) fn remember(socket: &TcpStream) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::ReceiveTimestampns, &true)?)
}

/// Room for what is read, and for when it came.
#[derive(Debug)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    stamp: Vec<u8>,
}

impl Reader {
    pub(super) fn new() -> Reader {
        Reader { bytes: vec![0; 16 * 1024], stamp: nix::cmsg_space!(TimeSpec) }
    }

    /// Reads what is there: the bytes, and when the last of them came. No bytes mean that the other side is done.
    pub(super) fn read(&mut self, socket: &TcpStream) -> io::Result<(&[u8], Option<Nanos>)> {
        let Reader { bytes, stamp } = self;
        let read = loop {
            let mut room = [IoSliceMut::new(bytes)];
            match recvmsg::<()>(socket.as_raw_fd(), &mut room, Some(stamp), MsgFlags::MSG_DONTWAIT) {
                Ok(message) => break (message.bytes, stamped(&message)),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        let (length, at) = read;
        Ok((&bytes[..length], at))
    }

    /// Whether a read of that many bytes may have left some.
    pub(super) fn is_full(&self, length: usize) -> bool {
        length == self.bytes.len()
    }
}

fn stamped(message: &nix::sys::socket::RecvMsg<'_, '_, ()>) -> Option<Nanos> {
    message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(time) => {
            Some(u64::try_from(time.tv_sec()).ok()? * 1_000_000_000 + u64::try_from(time.tv_nsec()).ok()?)
        }
        _ => None,
    })
}
