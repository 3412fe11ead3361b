//! A subscription at a NATS server: lines of text, and bodies with their length before them.

use serde::{Deserialize, Serialize};

use super::{Heard, news};

/// What is subscribed to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Subject(pub(crate) String);

/// One client's subscription.
#[derive(Debug)]
pub(crate) struct Subscribed(String);

impl Subscribed {
    pub(super) fn new(Subject(subject): &Subject) -> Subscribed {
        Subscribed(subject.clone())
    }

    /// Says who we are and what we want, and asks to hear when that is done.
    pub(super) fn open(&mut self) -> Vec<u8> {
        format!("{HELLO}SUB {} 1\r\nPING\r\n", self.0).into_bytes()
    }

    pub(super) fn hear(&mut self, inbox: &mut Vec<u8>) -> Heard {
        let Some(end) = inbox.windows(2).position(|window| window == b"\r\n") else { return Heard::More };
        let line = String::from_utf8_lossy(&inbox[..end]).into_owned();
        let mut words = line.split(' ');
        match words.next() {
            Some("MSG") => {
                let Some(length) = words.next_back().and_then(|length| length.parse::<usize>().ok()) else {
                    return Heard::Wrong(format!("said `{line}`"));
                };
                let whole = end + 2 + length + 2;
                if inbox.len() < whole {
                    return Heard::More;
                }
                let heard = news(&inbox[end + 2..end + 2 + length]);
                inbox.drain(..whole);
                return heard;
            }
            Some("-ERR") => return Heard::Wrong(format!("said `{line}`")),
            _ => {}
        }
        inbox.drain(..end + 2);
        match line.as_str() {
            "PONG" => Heard::Settled,
            "PING" => Heard::Answer(b"PONG\r\n".to_vec()),
            _ => Heard::Answer(Vec::new()),
        }
    }
}

/// What a publisher says first.
pub(crate) fn hello() -> Vec<u8> {
    format!("{HELLO}PING\r\n").into_bytes()
}

/// What publishes `news`.
pub(crate) fn publish(Subject(subject): &Subject, news: &[u8]) -> Vec<u8> {
    [format!("PUB {subject} {}\r\n", news.len()).as_bytes(), news, b"\r\n"].concat()
}

const HELLO: &str =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,\"lang\":\"bench\",\"version\":\"1\"}\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_when_it_is_whole() {
        let mut talk = Subscribed::new(&Subject("s".into()));
        let mut inbox = b"INFO {}\r\nPONG\r\nMSG s 1 16\r\n{\"generation\":7".to_vec();
        assert_eq!(talk.hear(&mut inbox), Heard::Answer(vec![]));
        assert_eq!(talk.hear(&mut inbox), Heard::Settled);
        assert_eq!(talk.hear(&mut inbox), Heard::More);
        inbox.extend_from_slice(b"}\r\n");
        assert_eq!(talk.hear(&mut inbox), Heard::News(7));
    }
}
