//! The lot: where plain connections wait that have nothing to say until there is a newer pointer.
//!
//! In: sockets that left hyper, each with the poll that it waits for. Out: answers, written to the sockets; and the sockets, when
//! their clients ask for the next thing. Each core has a [`Shard`]: a thread with an epoll, small entries, and for each app and
//! region a row of those who wait. A new pointer is one walk along the rows in which every socket is given the same bytes.
//!
//! Nothing here knows what a request looks like. Nothing here is shared between shards, but for slots (read when they changed),
//! counters (added to after each round) and the channel on which sockets go back.

mod answering;
mod deadlines;
mod entry;
mod inbox;
mod row;
mod shard;
mod slab;
mod write;

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use tokio::sync::mpsc;

pub(crate) use entry::{Arrived, Returned};
pub(crate) use shard::{Patience, Shard};

use self::inbox::{Inbox, Phase};

/// The way into the lot. When it is dropped, the shards end.
#[derive(Debug)]
pub(crate) struct Lot {
    inboxes: Vec<Arc<Inbox>>,
    next: AtomicUsize,
}

/// Sockets on which something else is asked, or may be.
pub(crate) type Back = mpsc::UnboundedReceiver<Vec<Returned>>;

impl Lot {
    /// Opens a lot: the way in, the shards that somebody has to run, and the way back.
    ///
    /// # Errors
    /// Where the process may not open another file.
    pub(crate) fn open() -> io::Result<(Lot, Vec<Shard>, Back)> {
        let (leave, back) = mpsc::unbounded_channel();
        let number = available_parallelism().map_or(1, NonZero::get).min(SHARDS_MAX);
        let shards: Vec<Shard> = (0..number).map(|_| Shard::open(leave.clone())).collect::<io::Result<_>>()?;
        let inboxes = shards.iter().map(Shard::inbox).collect();
        Ok((Lot { inboxes, next: AtomicUsize::new(0) }, shards, back))
    }

    /// Takes a socket in.
    pub(crate) fn park(&self, arrived: Arrived) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.inboxes[next % self.inboxes.len()].park(arrived);
    }

    /// Has everyone who waits told that this gateway goes away, and the rest hung up on.
    pub(crate) fn close(&self) {
        self.inboxes.iter().for_each(|inbox| inbox.enter(Phase::Closing));
    }
}

impl Drop for Lot {
    fn drop(&mut self) {
        self.inboxes.iter().for_each(|inbox| inbox.enter(Phase::Ending));
    }
}

/// More than that share memory in a way that more threads do not help.
const SHARDS_MAX: usize = 8;

#[cfg(test)]
mod tests;
