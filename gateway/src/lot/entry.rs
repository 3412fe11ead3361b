//! One socket in the lot, and how it comes and goes.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::deadlines::Tick;
use crate::admission::Place;
use crate::board::{Posted, Slot};
use crate::http::Form;

/// A socket that comes in, with the poll that it waits for.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) stream: TcpStream,
    pub(crate) place: Place,
    /// What was read from it too early.
    pub(crate) ahead: Bytes,
    pub(crate) slot: Arc<Slot>,
    /// What the client has.
    pub(crate) posted: Arc<Posted>,
    pub(crate) form: Form,
    /// For how long it is held at most.
    pub(crate) longest: Duration,
}

/// A socket that goes back to where requests are read.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) stream: TcpStream,
    pub(crate) place: Place,
    /// What was read from it before.
    pub(crate) ahead: Bytes,
}

/// A socket in the lot. There are tens of thousands of these, so what is rare is behind a box.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) stream: TcpStream,
    pub(super) place: Place,
    pub(super) form: Form,
    /// Which pointer the client has: the [`Posted::turn`] of its slot.
    pub(super) turn: u64,
    pub(super) state: State,
    /// Whether there is something to be read. It is left where it is.
    pub(super) stirred: bool,
    /// The row that it waits in.
    pub(super) row: u32,
    /// Where in the list that its state is about.
    pub(super) at: u32,
    /// When its state ends by itself.
    pub(super) deadline: Tick,
    pub(super) more: Option<Box<More>>,
}

/// What few entries have.
#[derive(Debug, Default)]
pub(super) struct More {
    /// What was read too early.
    pub(super) ahead: Bytes,
    /// What of an answer the kernel did not take yet.
    pub(super) rest: Bytes,
    /// Whether that answer is the last one.
    pub(super) last: bool,
}

/// What becomes of an entry next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// In its row, until there is another pointer or the wait is over.
    Waiting,
    /// Told of neither yet, but about to be.
    Owed,
    /// To be told of a pointer as soon as it is known what goes along with it.
    Packing,
    /// Its answer is not all written.
    Writing,
    /// Answered; what is asked next is not here yet.
    Resting,
}

impl Entry {
    /// Whether it counts as a poll that is held.
    pub(super) fn is_parked(&self) -> bool {
        matches!(self.state, State::Waiting | State::Owed | State::Packing)
    }
}

const _: () = assert!(size_of::<Entry>() <= 160, "an entry is small");
