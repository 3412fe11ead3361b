//! One connection of a client: bytes to it and from it, encrypted or not, without waiting.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::arrival::{Nanos, Reader};

/// A connection, and what came over it that nobody has made sense of yet.
#[derive(Debug)]
pub(super) struct Link {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    pub(super) inbox: Vec<u8>,
    /// When the newest bytes came.
    pub(super) stamp: Option<Nanos>,
}

/// How connections are encrypted.
#[derive(Clone, Debug)]
pub(super) struct Secrecy {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Link {
    pub(super) fn new(socket: TcpStream, secrecy: Option<&Secrecy>) -> Result<Link, rustls::Error> {
        let tls = secrecy.map(|Secrecy { config, name }| ClientConnection::new(Arc::clone(config), name.clone()));
        Ok(Link { socket, tls: tls.transpose()?.map(Box::new), inbox: Vec::new(), stamp: None })
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether the connection was made, once the kernel says that it is known.
    pub(super) fn made(&self) -> io::Result<()> {
        self.socket.take_error()?.map_or(Ok(()), Err)
    }

    /// Sends `bytes`; they are few, so the kernel always has room for them.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.write_all(bytes),
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                flush(tls, &mut self.socket)
            }
        }
    }

    /// Takes what has come into the inbox. Says whether the other side is done.
    pub(super) fn receive(&mut self, reader: &mut Reader) -> io::Result<Side> {
        loop {
            let (bytes, at) = match reader.read(&self.socket) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Side::Open),
                Err(error) => return Err(error),
            };
            let length = bytes.len();
            if length == 0 {
                return Ok(Side::Done);
            }
            self.stamp = at.or(self.stamp);
            match &mut self.tls {
                None => self.inbox.extend_from_slice(bytes),
                Some(tls) => {
                    decrypt(tls, bytes, &mut self.inbox)?;
                    flush(tls, &mut self.socket)?;
                }
            }
            if !reader.is_full(length) {
                return Ok(Side::Open);
            }
        }
    }
}

/// Whether the other side may still say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Open,
    Done,
}

fn decrypt(tls: &mut ClientConnection, mut bytes: &[u8], inbox: &mut Vec<u8>) -> io::Result<()> {
    while !bytes.is_empty() {
        tls.read_tls(&mut bytes)?;
        let plain = tls.process_new_packets().map_err(io::Error::other)?.plaintext_bytes_to_read();
        let begun = inbox.len();
        inbox.resize(begun + plain, 0);
        tls.reader().read_exact(&mut inbox[begun..])?;
    }
    Ok(())
}

fn flush(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(socket)?;
    }
    Ok(())
}
