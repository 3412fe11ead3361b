//! Answers to polls as the bytes of HTTP/1.1, each made once for all who get it.
//!
//! In: a slot, what is posted there, the form of the question. Out: head and body in one piece, as hyper would have written
//! them. Made again when the clock has moved by a second, since the head has the date.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CONNECTION, DATE};
use http::{HeaderValue, Response};

use super::form::Form;
use super::pointer;
use crate::board::{Posted, Slot};

/// Which answer a poll gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// There is another pointer than the client's.
    Changed,
    /// There is none.
    Same,
}

/// Whether the connection goes on after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum After {
    Kept,
    Closed,
}

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Print {
    /// All that is sent.
    pub(crate) bytes: Bytes,
    /// How many of these bytes are body.
    pub(crate) body_bytes: u64,
}

/// Answers about what one slot has, as they were made lately.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    /// The turn, and the second since 1970, that they are all of.
    of: (u64, u64),
    by_form: HashMap<(u32, Option<usize>, Outcome, After), Print>,
}

impl Printed {
    /// The answer to a poll in that `form`. `posted` is what its `slot` has now; what may go along with it goes along if that is
    /// known by now.
    pub(crate) fn of(&mut self, slot: &Slot, posted: &Posted, form: &Form, outcome: Outcome, after: After) -> &Print {
        let now = SystemTime::now();
        let of = (posted.turn(), now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs());
        // Whoever makes up forms by the thousand costs time, not memory.
        if self.of != of || self.by_form.len() >= FORMS_MAX {
            self.by_form.clear();
            self.of = of;
        }
        let have = form.have.filter(|_| outcome == Outcome::Changed);
        let enclosure = have.and_then(|have| posted.packs()?.of(have));
        // What goes along is made once for all who get it, so where it is says what it is; most of what agents may have makes no
        // difference.
        let goes_along = enclosure.as_ref().map(|enclosure| enclosure.body.as_ptr().addr());
        let key = (form.wait_s, goes_along, outcome, after);
        self.by_form.entry(key).or_insert_with(|| {
            let wait = Some(Duration::from_secs(form.wait_s.into()));
            let mut answer = match outcome {
                Outcome::Changed => pointer::whole(slot, posted, wait, enclosure),
                Outcome::Same => pointer::not_modified(slot, posted, wait),
            };
            if after == After::Closed {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            let date = HeaderValue::try_from(httpdate::fmt_http_date(now)).expect("a date is a header value");
            answer.headers_mut().insert(DATE, date);
            print(&answer)
        })
    }

    /// Forgets pointers, and what goes along with them: the next to ask may come much later. That there is none is a few bytes.
    pub(crate) fn forget_large(&mut self) {
        self.by_form.retain(|(_, _, outcome, _), _| *outcome == Outcome::Same);
    }
}

/// Writes an answer out.
fn print(answer: &Response<Bytes>) -> Print {
    let (status, body) = (answer.status(), answer.body());
    let mut bytes = BytesMut::with_capacity(HEAD_BYTES + body.len());
    let reason = status.canonical_reason().unwrap_or_default();
    bytes.put_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).as_bytes());
    for (name, value) in answer.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.put_slice(part);
        }
    }
    bytes.put_slice(b"\r\n");
    bytes.put_slice(body);
    Print { bytes: bytes.freeze(), body_bytes: body.len() as u64 }
}

/// More than a head of ours has.
const HEAD_BYTES: usize = 512;
/// Agents of one fleet ask in one form, or in a few while their configuration changes.
const FORMS_MAX: usize = 64;
