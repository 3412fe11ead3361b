//! A long-poll over HTTP/1.1: asks for what is newer than the last answer, and is held.

use serde::{Deserialize, Serialize};

use super::{Heard, news};

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Poll {
    /// The `Host` header.
    pub(crate) host: String,
    /// The path, with its leading slash.
    pub(crate) path: String,
    /// Headers that go with every request, each line with its end.
    pub(crate) headers: String,
    /// The tag of what the client has already; with none it asks for what there is.
    pub(crate) tag: Option<String>,
}

/// One client's requests, one after the other.
#[derive(Debug)]
pub(crate) struct Polling {
    /// All of a request but its validators and the empty line.
    request: String,
    tag: Option<String>,
    modified: Option<String>,
}

impl Polling {
    pub(super) fn new(poll: &Poll) -> Polling {
        let Poll { host, path, headers, tag } = poll;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}");
        Polling { request, tag: tag.clone(), modified: None }
    }

    /// Asks for what is newer than the last answer.
    pub(super) fn ask(&mut self) -> Vec<u8> {
        let mut request = self.request.clone();
        for (name, value) in [("If-None-Match", &self.tag), ("If-Modified-Since", &self.modified)] {
            if let Some(value) = value {
                request.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        request.push_str("\r\n");
        request.into_bytes()
    }

    pub(super) fn hear(&mut self, inbox: &mut Vec<u8>) -> Heard {
        let Some(end) = inbox.windows(4).position(|window| window == b"\r\n\r\n") else { return Heard::More };
        let Ok(head) = str::from_utf8(&inbox[..end]) else { return Heard::Wrong("a header is not text".to_owned()) };
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap_or_default().to_owned();
        let fields = lines.filter_map(|line| line.split_once(':'));
        let (mut length, mut tag, mut modified) = (None, None, None);
        for (name, value) in fields {
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse::<usize>().ok(),
                "etag" => tag = Some(value.to_owned()),
                "last-modified" => modified = Some(value.to_owned()),
                _ => {}
            }
        }
        match status.split(' ').nth(1) {
            Some("304") => {
                inbox.drain(..end + 4);
                Heard::Nothing
            }
            Some("200") => {
                let Some(length) = length else { return Heard::Wrong("an answer without its length".to_owned()) };
                let whole = end + 4 + length;
                if inbox.len() < whole {
                    return Heard::More;
                }
                let heard = news(&inbox[end + 4..whole]);
                inbox.drain(..whole);
                (self.tag, self.modified) = (tag, modified);
                heard
            }
            _ => Heard::Wrong(format!("answered `{status}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polling() -> Polling {
        let poll = Poll { host: "gw".into(), path: "/p".into(), headers: "Prefer: wait=5\r\n".into(), tag: None };
        Polling::new(&poll)
    }

    #[test]
    fn an_answer_counts_when_the_last_byte_is_there() {
        let mut polling = polling();
        let answer = b"HTTP/1.1 200 OK\r\netag: \"a\"\r\nContent-Length: 16\r\n\r\n{\"generation\":7}HTTP/1.1 304 Not Modified\r\n\r\n";
        let mut inbox = Vec::new();
        for byte in &answer[..66] {
            assert_eq!(polling.hear(&mut inbox), Heard::More);
            inbox.push(*byte);
        }
        inbox.extend_from_slice(&answer[66..]);
        assert_eq!(polling.hear(&mut inbox), Heard::News(7));
        assert_eq!(polling.hear(&mut inbox), Heard::Nothing);
        assert_eq!(inbox, b"");
        let again = String::from_utf8(polling.ask()).expect("text");
        assert_eq!(again, "GET /p HTTP/1.1\r\nHost: gw\r\nPrefer: wait=5\r\nIf-None-Match: \"a\"\r\n\r\n");
    }

    #[test]
    fn what_is_no_pointer_is_no_news() {
        for wrong in
            ["HTTP/1.1 503 Busy\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
        {
            assert!(matches!(polling().hear(&mut wrong.as_bytes().to_vec()), Heard::Wrong(_)), "{wrong}");
        }
    }
}
