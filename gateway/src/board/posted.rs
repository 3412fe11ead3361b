//! One posted pointer, its answer prepared.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use schema::pointer::Pointer;
use schema::{Epoch, Generation, Seen, Verified};
use tokio::sync::SetOnce;
use tokio::time::timeout_at;

use super::marks::{self, Mark};
use crate::http::ETag;
use crate::packs::Packs;

/// A pointer as it is answered with: every waiter shares these bytes.
#[derive(Debug)]
pub(crate) struct Posted {
    pointer: Verified<Pointer>,
    seen: Seen,
    etag: ETag,
    marks: Arc<[Mark]>,
    turn: u64,
    since: Instant,
    packs: SetOnce<Packs>,
}

impl Posted {
    pub(super) fn first(pointer: Verified<Pointer>) -> Posted {
        Posted::after(&[], 0, pointer)
    }

    /// The one that `pointer` makes of this one.
    pub(super) fn succeeded_by(&self, pointer: Verified<Pointer>) -> Posted {
        Posted::after(&self.marks, self.turn + 1, pointer)
    }

    fn after(marks: &[Mark], turn: u64, pointer: Verified<Pointer>) -> Posted {
        let (marks, seen, etag) = (marks::extended(marks, &pointer), Seen::of(&pointer), ETag::of(pointer.bytes()));
        Posted { pointer, seen, etag, marks, turn, since: Instant::now(), packs: SetOnce::new() }
    }

    pub(crate) fn pointer(&self) -> &Verified<Pointer> {
        &self.pointer
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        self.pointer.bytes()
    }

    pub(crate) fn etag(&self) -> &ETag {
        &self.etag
    }

    /// How many were posted in its place before it, since this process began.
    pub(crate) fn turn(&self) -> u64 {
        self.turn
    }

    /// What goes along with it, once that is known.
    pub(crate) fn packs(&self) -> Option<&Packs> {
        self.packs.get()
    }

    /// Until when those who have something to gain by it wait for what goes along.
    pub(crate) fn packs_due(&self) -> Instant {
        self.since + PACKING
    }

    /// What goes along with it; nothing if that is not known when it is due.
    pub(crate) async fn packed(&self) -> Option<&Packs> {
        timeout_at(self.packs_due().into(), self.packs.wait()).await.ok()
    }

    /// Notes what goes along with it. The first word counts.
    pub(super) fn pack(&self, packs: Packs) {
        let _ = self.packs.set(packs);
    }

    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// What is remembered of a generation that was posted here; nothing for one that was not, or too long ago.
    pub(crate) fn mark(&self, epoch: Epoch, generation: Generation) -> Option<&Mark> {
        self.marks.iter().find(|mark| (mark.epoch, mark.generation) == (epoch, generation))
    }
}

/// Fetching what a new pointer names takes a round trip to the source; waiting for more than a few costs agents more than they
/// gain.
const PACKING: Duration = Duration::from_millis(250);
