//! What a hostile server answers, down to how its bytes leave.
//!
//! In: an honest answer, or nothing. Out: anything a socket can carry.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::message::Headers;

/// An answer, honest or not.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) sending: Sending,
}

/// How an answer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// With its length.
    Whole,
    /// With a length that is not its own. The connection is closed after it.
    Claiming(u64),
    /// Without a length: its end is the connection's.
    Unmeasured,
    /// The body over and over again, as far as the client reads.
    Endless,
    /// One byte a second.
    Dripping,
    /// So many bytes of the body, and then a reset.
    Broken(usize),
    /// A head that does not end.
    HugeHead,
    /// Nothing at all, while the connection stays open.
    Silent,
    /// Something that is not HTTP.
    Garbage,
}

/// What is left of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    Open,
    Closed,
}

/// More than any limit on anything that a test serves; who reads this much has no limit.
const ENDLESS_MAX: u64 = 512 << 20;

impl Answer {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Answer {
        Answer { status: 200, headers: Headers::new(), body: body.into(), sending: Sending::Whole }
    }

    pub(crate) fn status(status: u16) -> Answer {
        Answer { status, ..Answer::ok("no\n") }
    }

    pub(crate) fn redirect(location: &str) -> Answer {
        Answer::status(302).with("location", location)
    }

    /// Sets a header, in place of one of that name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Answer {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Answer {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn sent(self, sending: Sending) -> Answer {
        Answer { sending, ..self }
    }

    pub(crate) fn changed(self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Answer {
        Answer { body: change(self.body), ..self }
    }

    /// The same with one bit of the body turned over.
    pub(crate) fn flipped(self, at: usize) -> Answer {
        self.changed(|mut body| {
            let length = body.len().max(1);
            if let Some(byte) = body.get_mut(at % length) {
                *byte ^= 1;
            }
            body
        })
    }

    /// Puts the answer on the wire and gives how many bytes of body the client let us send.
    pub(super) fn send(self, stream: &mut TcpStream, is_over: &dyn Fn() -> bool) -> io::Result<(u64, Connection)> {
        let length = self.body.len() as u64;
        let head = |length: Option<u64>| self.head(length);
        match self.sending {
            Sending::Whole => {
                let head = head(Some(length));
                let body: &[u8] = if self.status == 304 { b"" } else { &self.body };
                stream.write_all(&[head.as_slice(), body].concat())?;
                return Ok((length, Connection::Open));
            }
            Sending::Claiming(claimed) => stream.write_all(&[head(Some(claimed)), self.body].concat())?,
            Sending::Unmeasured => stream.write_all(&[head(None), self.body].concat())?,
            Sending::Endless => {
                stream.write_all(&head(None))?;
                let sent = pour(stream, &self.body, is_over);
                return Ok((sent, Connection::Closed));
            }
            Sending::Dripping => {
                stream.write_all(&head(Some(length)))?;
                for byte in &self.body {
                    if is_over() {
                        break;
                    }
                    stream.write_all(&[*byte])?;
                    wait(Duration::from_secs(1), is_over);
                }
            }
            Sending::Broken(after) => {
                let cut = self.body.len().min(after);
                stream.write_all(&[head(Some(length)).as_slice(), &self.body[..cut]].concat())?;
                rustix::net::sockopt::set_socket_linger(&*stream, Some(Duration::ZERO))?;
            }
            Sending::HugeHead => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
                let sent = pour(stream, b"x-more: and more and more and more and more\r\n", is_over);
                return Ok((sent, Connection::Closed));
            }
            Sending::Silent => wait(Duration::MAX, is_over),
            Sending::Garbage => stream.write_all(b"220 mail.example ESMTP\r\n\r\n")?,
        }
        Ok((length, Connection::Closed))
    }

    fn head(&self, length: Option<u64>) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Told\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match length {
            Some(length) if self.status != 304 => head.push_str(&format!("content-length: {length}\r\n")),
            Some(_) => {}
            None => head.push_str("connection: close\r\n"),
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// Writes `what` again and again until the client has enough.
fn pour(stream: &mut TcpStream, what: &[u8], is_over: &dyn Fn() -> bool) -> u64 {
    let block = what.repeat((64 << 10) / what.len().max(1) + 1);
    let mut sent = 0;
    while sent < ENDLESS_MAX && !block.is_empty() && !is_over() && stream.write_all(&block).is_ok() {
        sent += block.len() as u64;
    }
    sent
}

/// Waits, unless it `is_over` sooner.
fn wait(length: Duration, is_over: &dyn Fn() -> bool) {
    let begun = std::time::Instant::now();
    while begun.elapsed() < length && !is_over() {
        std::thread::park_timeout(super::message::TICK);
    }
}
