//! A long-poll over HTTP/2: one stream for each question, one after the other.

use schema::Digest;

use super::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, fields, frame, hello, take};
use super::http::Poll;
use super::{Heard, news};

/// One client's requests, one after the other.
#[derive(Debug)]
pub(crate) struct Polling {
    host: String,
    path: String,
    headers: Vec<(String, String)>,
    tag: Option<String>,
    stream: u32,
    status: Status,
    body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Unknown,
    Ok,
    NotModified,
}

impl Polling {
    pub(super) fn new(poll: &Poll) -> Polling {
        let headers = poll.headers.lines().filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let (host, path, tag) = (poll.host.clone(), poll.path.clone(), poll.tag.clone());
        Polling { host, path, headers, tag, stream: 0, status: Status::Unknown, body: Vec::new() }
    }

    /// The preface and the first question.
    pub(super) fn open(&mut self) -> Vec<u8> {
        self.stream = 0;
        [hello(), self.ask()].concat()
    }

    /// The next question.
    pub(super) fn ask(&mut self) -> Vec<u8> {
        self.stream = if self.stream == 0 { 1 } else { self.stream + 2 };
        (self.status, self.body) = (Status::Unknown, Vec::new());
        let mut all = vec![(":method", "GET"), (":scheme", "http"), (":path", &self.path), (":authority", &self.host)];
        all.extend(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        all.extend(self.tag.as_deref().map(|tag| ("if-none-match", tag)));
        frame(HEADERS, END_HEADERS | END_STREAM, self.stream, &fields(&all))
    }

    pub(super) fn hear(&mut self, inbox: &mut Vec<u8>) -> Heard {
        let Some(frame) = take(inbox) else { return Heard::More };
        if let Some(answer) = frame.answer() {
            return Heard::Answer(answer);
        }
        if frame.stream != self.stream {
            return Heard::Wrong(format!("sent a frame of kind {} on stream {}", frame.kind, frame.stream));
        }
        match (frame.kind, frame.payload.first()) {
            // The static table has both; no encoder writes them in another way.
            (HEADERS, Some(0x88)) => self.status = Status::Ok,
            (HEADERS, Some(0x8b)) => self.status = Status::NotModified,
            (DATA, _) if self.status == Status::Ok => self.body.extend_from_slice(&frame.payload),
            _ => return Heard::Wrong(format!("sent a frame of kind {} that is no answer", frame.kind)),
        }
        match self.status {
            _ if !frame.ends_stream() => Heard::Answer(Vec::new()),
            Status::NotModified => Heard::Nothing,
            _ => {
                // A gateway's tag is made of the bytes alone, so there is no need to unpack it from the header.
                self.tag = Some(format!("\"{}\"", &Digest::of(&self.body).to_string()[..32]));
                news(&self.body)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_has_a_stream_of_its_own() {
        let poll = Poll { host: "gw".into(), path: "/p".into(), headers: String::new(), tag: None };
        let mut talk = Polling::new(&poll);
        talk.open();
        let mut inbox = frame(HEADERS, END_HEADERS, 1, &[0x88]);
        inbox.extend_from_slice(&frame(DATA, END_STREAM, 1, b"{\"generation\":7}"));
        assert_eq!(talk.hear(&mut inbox), Heard::Answer(vec![]));
        assert_eq!(talk.hear(&mut inbox), Heard::News(7));
        talk.ask();
        let mut inbox = frame(HEADERS, END_HEADERS | END_STREAM, 3, &[0x8b]);
        assert_eq!(talk.hear(&mut inbox), Heard::Nothing);
    }
}
