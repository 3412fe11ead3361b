//! What is remembered of the generations that were posted: enough to judge an ack about one of them.

use std::sync::Arc;

use schema::pointer::Pointer;
use schema::{Digest, Epoch, Generation, Timestamp};

/// One generation in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) epoch: Epoch,
    pub(crate) generation: Generation,
    /// When its first serial that came by here was signed.
    pub(crate) issued: Timestamp,
    stable: Digest,
    candidate: Option<Digest>,
}

impl Mark {
    /// Whether the generation asked anyone to run `bundle`.
    pub(crate) fn names(&self, bundle: Digest) -> bool {
        self.stable == bundle || self.candidate == Some(bundle)
    }
}

/// `marks` and that of `pointer`, newest last. A re-signing keeps the mark that is there: the generation is as old as before.
pub(super) fn extended(marks: &[Mark], pointer: &Pointer) -> Arc<[Mark]> {
    let same = |mark: &Mark| (mark.epoch, mark.generation) == (pointer.epoch, pointer.generation);
    if marks.last().is_some_and(same) {
        return marks.into();
    }
    let newest = Mark {
        epoch: pointer.epoch,
        generation: pointer.generation,
        issued: pointer.issued,
        stable: pointer.stable.digest,
        candidate: pointer.candidate.as_ref().map(|candidate| candidate.target.digest),
    };
    let kept = marks.len().saturating_sub(MARKS_MAX - 1);
    marks[kept..].iter().cloned().chain([newest]).collect()
}

/// Agents that are further behind are counted without their latency.
const MARKS_MAX: usize = 32;
