//! Just enough of HTTP/1.1 to stand between two who speak it properly, and to break it on purpose.
//!
//! In: a socket. Out: whole requests and answers. Gives up when told to, so that no thread outlives its test.

use std::io::{self, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How often a read looks up to see whether it is still wanted.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// Headers as they came.
pub(super) type Headers = Vec<(String, String)>;

/// What an agent asks for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With the slash in front, and the query if there is one.
    pub(crate) target: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

/// What a store path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Pointer,
    Manifest,
    Bundle,
    Root,
    Acks,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.path() {
            path if path.ends_with("/pointer") => Kind::Pointer,
            path if path.ends_with(".tar.zst") => Kind::Bundle,
            path if path.ends_with(".root") => Kind::Root,
            path if path.ends_with("/acks") => Kind::Acks,
            _ => Kind::Manifest,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The next request on a connection that stays open; nothing when the client is gone, or `is_over`.
    pub(super) fn read(
        stream: &mut TcpStream,
        unread: &mut Vec<u8>,
        is_over: &dyn Fn() -> bool,
    ) -> io::Result<Option<Request>> {
        let Some((first, headers)) = read_head(stream, unread, is_over)? else { return Ok(None) };
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let length = header(&headers, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        while unread.len() < length {
            if !more(stream, unread, is_over)? {
                return Ok(None);
            }
        }
        let body = unread.drain(..length).collect();
        Ok(Some(Request { method: method.to_owned(), target: target.to_owned(), headers, body }))
    }

    /// Passes the request on, and reads the answer to its end: status, headers, body. Nothing when `is_over` came first.
    pub(super) fn forward(
        &self,
        to: SocketAddr,
        is_over: &dyn Fn() -> bool,
    ) -> io::Result<Option<(u16, Headers, Vec<u8>)>> {
        let mut stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(TICK))?;
        let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", self.method, self.target);
        for (name, value) in self.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("connection")) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(&[head.as_bytes(), b"\r\n", &self.body].concat())?;
        let mut unread = Vec::new();
        let Some((first, headers)) = read_head(&mut stream, &mut unread, is_over)? else { return Ok(None) };
        while more(&mut stream, &mut unread, is_over)? {}
        let status = first.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(502);
        Ok((!is_over()).then_some((status, headers, unread)))
    }
}

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// The first line and the headers; what follows them stays in `unread`.
fn read_head(
    stream: &mut TcpStream,
    unread: &mut Vec<u8>,
    is_over: &dyn Fn() -> bool,
) -> io::Result<Option<(String, Headers)>> {
    let end = loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if !more(stream, unread, is_over)? {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&unread[..end]).into_owned();
    unread.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let headers =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Some((first, headers.collect())))
}

/// Reads some more; false at the end, or when `is_over`.
fn more(stream: &mut TcpStream, unread: &mut Vec<u8>, is_over: &dyn Fn() -> bool) -> io::Result<bool> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(read) => {
                unread.extend_from_slice(&buffer[..read]);
                return Ok(true);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if is_over() {
                    return Ok(false);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
