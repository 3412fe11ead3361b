//! A watch of one key in etcd: gRPC by hand, for one kind of call needs neither a compiler of protocols nor a client.

use serde::{Deserialize, Serialize};

use super::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, fields, frame, hello, take};
use super::{Heard, news};

/// What is watched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Key(pub(crate) String);

/// One client's watch.
#[derive(Debug)]
pub(crate) struct Watching {
    key: String,
    /// Bytes of messages that are not whole yet.
    message: Vec<u8>,
}

impl Watching {
    pub(super) fn new(Key(key): &Key) -> Watching {
        Watching { key: key.clone(), message: Vec::new() }
    }

    /// Begins the watch.
    pub(super) fn open(&mut self) -> Vec<u8> {
        let create = bytes_field(1, self.key.as_bytes());
        let request = frame(DATA, 0, 1, &message(&bytes_field(1, &create)));
        [hello(), call(1, "/etcdserverpb.Watch/Watch"), request].concat()
    }

    pub(super) fn hear(&mut self, inbox: &mut Vec<u8>) -> Heard {
        let Some(frame) = take(inbox) else { return Heard::More };
        if let Some(answer) = frame.answer() {
            return Heard::Answer(answer);
        }
        match frame.kind {
            HEADERS if !frame.ends_stream() => Heard::Answer(Vec::new()),
            DATA => {
                self.message.extend_from_slice(&frame.payload);
                self.watched()
            }
            kind => Heard::Wrong(format!("sent a frame of kind {kind}")),
        }
    }

    /// What a message of the watch says: that it is made, or what the key is now.
    fn watched(&mut self) -> Heard {
        let Some(head) = self.message.first_chunk::<5>() else { return Heard::Answer(Vec::new()) };
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if self.message.len() < 5 + length {
            return Heard::Answer(Vec::new());
        }
        let message: Vec<u8> = self.message.drain(..5 + length).skip(5).collect();
        if varint_in(&message, CREATED) == Some(1) {
            return Heard::Settled;
        }
        let pair = bytes_in(&message, EVENTS).and_then(|event| bytes_in(event, PAIR));
        match pair.and_then(|pair| bytes_in(pair, VALUE)) {
            Some(value) => news(value),
            None => Heard::Wrong("a watch said nothing".to_owned()),
        }
    }
}

/// What a publisher says first.
pub(crate) fn greeting() -> Vec<u8> {
    hello()
}

/// The put with that number, counted from zero, of `value` under `key`.
pub(crate) fn put(Key(key): &Key, value: &[u8], number: u32) -> Vec<u8> {
    let stream = 2 * number + 1;
    let request = [bytes_field(1, key.as_bytes()), bytes_field(2, value)].concat();
    [call(stream, "/etcdserverpb.KV/Put"), frame(DATA, END_STREAM, stream, &message(&request))].concat()
}

/// What has to be said to what came for a publisher.
pub(crate) fn acknowledge(inbox: &mut Vec<u8>) -> Vec<u8> {
    let mut answers = Vec::new();
    while let Some(frame) = take(inbox) {
        answers.extend(frame.answer().unwrap_or_default());
    }
    answers
}

fn call(stream: u32, path: &str) -> Vec<u8> {
    let block = fields(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "bench"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]);
    frame(HEADERS, END_HEADERS, stream, &block)
}

/// A message of gRPC: not compressed, and its length before it.
fn message(body: &[u8]) -> Vec<u8> {
    [&[0][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

fn bytes_field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | LENGTH_DELIMITED];
    let mut rest = bytes.len();
    while rest >= 0x80 {
        field.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    field.push(rest as u8);
    field.extend_from_slice(bytes);
    field
}

/// The first field with that number that holds bytes.
fn bytes_in(message: &[u8], wanted: u64) -> Option<&[u8]> {
    walk(message).find_map(|(number, value)| match value {
        Value::Bytes(bytes) if number == wanted => Some(bytes),
        _ => None,
    })
}

/// The first field with that number that holds a number.
fn varint_in(message: &[u8], wanted: u64) -> Option<u64> {
    walk(message).find_map(|(number, value)| match value {
        Value::Number(found) if number == wanted => Some(found),
        _ => None,
    })
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, up to the first that etcd does not use.
fn walk(mut rest: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let tag = varint(&mut rest)?;
        match (tag & 7) as u8 {
            0 => Some((tag >> 3, Value::Number(varint(&mut rest)?))),
            LENGTH_DELIMITED => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (bytes, after) = rest.split_at_checked(length)?;
                rest = after;
                Some((tag >> 3, Value::Bytes(bytes)))
            }
            _ => None,
        }
    })
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

const LENGTH_DELIMITED: u8 = 2;
/// Fields of `WatchResponse`, `Event` and `KeyValue` in etcd's protocol.
const CREATED: u64 = 3;
const EVENTS: u64 = 11;
const PAIR: u64 = 2;
const VALUE: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_in_a_message() {
        let value = format!("{{\"generation\":7,\"more\":\"{}\"}}", "x".repeat(300));
        let pair = [bytes_field(1, b"key"), vec![4 << 3, 9], bytes_field(5, value.as_bytes())].concat();
        let event = bytes_field(2, &pair);
        let response = [bytes_field(1, b"header"), vec![2 << 3, 0], bytes_field(11, &event)].concat();
        let mut talk = Watching::new(&Key("key".into()));
        let mut inbox = frame(DATA, 0, 1, &message(&[3 << 3, 1]));
        assert_eq!(talk.hear(&mut inbox), Heard::Settled);
        let whole = message(&response);
        let mut inbox = frame(DATA, 0, 1, &whole[..100]);
        inbox.extend_from_slice(&frame(DATA, 0, 1, &whole[100..]));
        assert_eq!(talk.hear(&mut inbox), Heard::Answer(vec![]));
        assert_eq!(talk.hear(&mut inbox), Heard::News(7));
    }
}
