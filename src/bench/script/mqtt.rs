//! A subscription at an MQTT 3.1.1 broker, quality of service 0.

use serde::{Deserialize, Serialize};

use super::{Heard, news};

/// What is subscribed to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Topic(pub(crate) String);

/// One client's subscription.
#[derive(Debug)]
pub(crate) struct Subscribed {
    topic: String,
    name: String,
}

impl Subscribed {
    pub(super) fn new(Topic(topic): &Topic, number: usize) -> Subscribed {
        Subscribed { topic: topic.clone(), name: format!("bench-{number}") }
    }

    /// Connects; what is wanted is said when the broker agrees.
    pub(super) fn open(&mut self) -> Vec<u8> {
        hello(&self.name)
    }

    pub(super) fn hear(&mut self, inbox: &mut Vec<u8>) -> Heard {
        let Some((kind, header, length)) = head(inbox) else { return Heard::More };
        let whole = header + length;
        if inbox.len() < whole {
            return Heard::More;
        }
        let packet: Vec<u8> = inbox.drain(..whole).skip(header).collect();
        match (kind >> 4, packet.as_slice()) {
            (CONNACK, [_, 0]) => Heard::Answer(self.subscribe()),
            (SUBACK, [.., code]) if *code < 0x80 => Heard::Settled,
            (PUBLISH, [high, low, rest @ ..]) => {
                let topic = usize::from(u16::from_be_bytes([*high, *low]));
                rest.get(topic..).map_or_else(|| Heard::Wrong("a topic is cut off".to_owned()), news)
            }
            _ => Heard::Wrong(format!("sent a packet of kind {}: {packet:?}", kind >> 4)),
        }
    }

    fn subscribe(&self) -> Vec<u8> {
        let mut body = vec![0, 1];
        put(&mut body, self.topic.as_bytes());
        body.push(0);
        packet(0x82, &body)
    }
}

/// What connects the client `name`; it is never asked whether it is still there.
pub(crate) fn hello(name: &str) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, b"MQTT");
    body.extend_from_slice(&[4, 2, 0, 0]);
    put(&mut body, name.as_bytes());
    packet(0x10, &body)
}

/// What publishes `news`.
pub(crate) fn publish(Topic(topic): &Topic, news: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, topic.as_bytes());
    body.extend_from_slice(news);
    packet(0x30, &body)
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    let mut rest = body.len();
    loop {
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        bytes.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

fn put(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend_from_slice(&(text.len() as u16).to_be_bytes());
    bytes.extend_from_slice(text);
}

/// Kind, length of the header, length of what follows it.
fn head(inbox: &[u8]) -> Option<(u8, usize, usize)> {
    let kind = *inbox.first()?;
    let mut length = 0;
    for at in 0..4 {
        let byte = *inbox.get(1 + at)?;
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((kind, 2 + at, length));
        }
    }
    Some((kind, 5, length))
}

const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const SUBACK: u8 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_heard() {
        let mut talk = Subscribed::new(&Topic("t".into()), 1);
        let news = format!("{{\"generation\":7,\"more\":\"{}\"}}", "x".repeat(500));
        let mut inbox = vec![0x20, 2, 0, 0, 0x90, 3, 0, 1, 0];
        inbox.extend_from_slice(&publish(&Topic("t".into()), news.as_bytes()));
        let last = inbox.pop().expect("bytes");
        assert_eq!(talk.hear(&mut inbox), Heard::Answer(talk.subscribe()));
        assert_eq!(talk.hear(&mut inbox), Heard::Settled);
        assert_eq!(talk.hear(&mut inbox), Heard::More);
        inbox.push(last);
        assert_eq!(talk.hear(&mut inbox), Heard::News(7));
    }
}
