//! What a shard is told by others: lists behind a short lock, and a bell.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

use super::entry::Arrived;

/// Where a shard is told things.
#[derive(Debug)]
pub(super) struct Inbox {
    words: Mutex<Words>,
    bell: OwnedFd,
}

/// What a shard was told since it looked last.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) arrived: Vec<Arrived>,
    /// Rows whose slots have more to say than before; some of them several times.
    pub(super) posted: Vec<u32>,
    pub(super) phase: Phase,
    rung: bool,
}

/// How a lot ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    #[default]
    Open,
    /// Everyone who waits is told so, and nobody rests here.
    Closing,
    /// Nobody comes any more; what is not written soon is not written at all.
    Ending,
}

impl Inbox {
    pub(super) fn new() -> io::Result<Inbox> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Inbox { words: Mutex::default(), bell })
    }

    pub(super) fn park(&self, arrived: Arrived) {
        self.tell(|words| words.arrived.push(arrived));
    }

    /// Says that a row has to be looked at.
    pub(super) fn look(&self, row: u32) {
        self.tell(|words| words.posted.push(row));
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.tell(|words| words.phase = words.phase.max(phase));
    }

    /// Everything that was said since this was asked last.
    pub(super) fn take(&self) -> Words {
        // Before the lists are taken, so that whoever rings meanwhile is heard next time.
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        let mut words = self.words();
        let phase = words.phase;
        std::mem::replace(&mut *words, Words { phase, ..Words::default() })
    }

    fn tell(&self, what: impl FnOnce(&mut Words)) {
        let mut words = self.words();
        what(&mut words);
        let rung = std::mem::replace(&mut words.rung, true);
        drop(words);
        if !rung {
            // It cannot fail but when it is full, and then the shard is awake.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }

    fn words(&self) -> MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
