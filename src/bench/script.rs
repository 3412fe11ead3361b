//! What a client says to the server that it waits on, and what it hears: one file for each protocol, bytes in, bytes out.
//!
//! In: bytes as they arrive. Out: [`Heard`], and bytes to send. Knows no sockets and no clock. Every protocol carries the same
//! news: a signed pointer, of which a client looks at the generation to know that it is the new one, and at the length.

pub(super) mod etcd;
pub(super) mod frames;
pub(super) mod h2;
pub(super) mod http;
pub(super) mod mqtt;
pub(super) mod nats;

use serde::{Deserialize, Serialize};

/// Which protocol a crowd speaks, and what it waits for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Script {
    /// A long-poll over HTTP/1.1.
    Http(http::Poll),
    /// The same over HTTP/2, begun without an upgrade.
    Http2(http::Poll),
    /// A subscription at a NATS server.
    Nats(nats::Subject),
    /// A subscription at an MQTT 3.1.1 broker.
    Mqtt(mqtt::Topic),
    /// A watch of one key in etcd.
    Etcd(etcd::Key),
}

/// What one client has said and heard so far.
#[derive(Debug)]
pub(super) enum Talk {
    Http(http::Polling),
    Http2(h2::Polling),
    Nats(nats::Subscribed),
    Mqtt(mqtt::Subscribed),
    Etcd(etcd::Watching),
}

/// What the bytes so far come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing whole yet.
    More,
    /// Something whole that is no news; these bytes are the answer to it, if there are any.
    Answer(Vec<u8>),
    /// The server has taken in what this client waits for.
    Settled,
    /// News, whole; of that generation.
    News(u64),
    /// There are no news, and the client has to ask again.
    Nothing,
    /// Something that no client can use.
    Wrong(String),
}

impl Script {
    /// Begins the talk of the client with that number.
    pub(super) fn begin(&self, number: usize) -> Talk {
        match self {
            Script::Http(poll) => Talk::Http(http::Polling::new(poll)),
            Script::Http2(poll) => Talk::Http2(h2::Polling::new(poll)),
            Script::Nats(subject) => Talk::Nats(nats::Subscribed::new(subject)),
            Script::Mqtt(topic) => Talk::Mqtt(mqtt::Subscribed::new(topic, number)),
            Script::Etcd(key) => Talk::Etcd(etcd::Watching::new(key)),
        }
    }
}

impl Talk {
    /// The first bytes on a new connection. Whoever talked before and knows something says so.
    pub(super) fn open(&mut self) -> Vec<u8> {
        match self {
            Talk::Http(talk) => talk.ask(),
            Talk::Http2(talk) => talk.open(),
            Talk::Nats(talk) => talk.open(),
            Talk::Mqtt(talk) => talk.open(),
            Talk::Etcd(talk) => talk.open(),
        }
    }

    /// Takes the next whole thing out of `inbox`.
    pub(super) fn hear(&mut self, inbox: &mut Vec<u8>) -> Heard {
        match self {
            Talk::Http(talk) => talk.hear(inbox),
            Talk::Http2(talk) => talk.hear(inbox),
            Talk::Nats(talk) => talk.hear(inbox),
            Talk::Mqtt(talk) => talk.hear(inbox),
            Talk::Etcd(talk) => talk.hear(inbox),
        }
    }

    /// What asks for the next news; nothing where they come by themselves.
    pub(super) fn again(&mut self) -> Option<Vec<u8>> {
        match self {
            Talk::Http(talk) => Some(talk.ask()),
            Talk::Http2(talk) => Some(talk.ask()),
            Talk::Nats(_) | Talk::Mqtt(_) | Talk::Etcd(_) => None,
        }
    }

    /// Whether this client waits as soon as its question is sent; others are told that they do.
    pub(super) fn waits_unconfirmed(&self) -> bool {
        matches!(self, Talk::Http(_) | Talk::Http2(_))
    }
}

/// The generation that a pointer's payload line names.
pub(super) fn generation(pointer: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"\"generation\":";
    let at = pointer.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let digits = pointer[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    str::from_utf8(&pointer[at..at + digits]).ok()?.parse().ok()
}

/// The news that `pointer` is.
fn news(pointer: &[u8]) -> Heard {
    generation(pointer).map_or_else(|| Heard::Wrong("what came is no pointer".to_owned()), Heard::News)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_read_out_of_a_payload() {
        assert_eq!(generation(br#"{"epoch":1,"generation":42,"serial":1}"#), Some(42));
        assert_eq!(generation(br#"{"epoch":1}"#), None);
        assert_eq!(generation(br#"{"generation":"#), None);
    }
}
