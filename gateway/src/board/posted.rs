//! One posted pointer, its answer prepared.

use std::sync::Arc;

use bytes::Bytes;
use schema::pointer::Pointer;
use schema::{Epoch, Generation, Seen, Verified};

use super::marks::{self, Mark};
use crate::http::ETag;

/// A pointer as it is answered with: every waiter shares these bytes.
#[derive(Debug)]
pub(crate) struct Posted {
    pointer: Verified<Pointer>,
    seen: Seen,
    etag: ETag,
    marks: Arc<[Mark]>,
}

impl Posted {
    pub(super) fn first(pointer: Verified<Pointer>) -> Posted {
        Posted::after(&[], pointer)
    }

    /// The one that `pointer` makes of this one.
    pub(super) fn succeeded_by(&self, pointer: Verified<Pointer>) -> Posted {
        Posted::after(&self.marks, pointer)
    }

    fn after(marks: &[Mark], pointer: Verified<Pointer>) -> Posted {
        let marks = marks::extended(marks, &pointer);
        Posted { seen: Seen::of(&pointer), etag: ETag::of(pointer.bytes()), marks, pointer }
    }

    pub(crate) fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        self.pointer.bytes()
    }

    pub(crate) fn etag(&self) -> &ETag {
        &self.etag
    }

    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// What is remembered of a generation that was posted here; nothing for one that was not, or too long ago.
    pub(crate) fn mark(&self, epoch: Epoch, generation: Generation) -> Option<&Mark> {
        self.marks.iter().find(|mark| (mark.epoch, mark.generation) == (epoch, generation))
    }
}
