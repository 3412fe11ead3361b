//! The name of an archive and its measures, taken as its bytes stream past.

use super::header;
use crate::digest::{Digest, Hasher};
use crate::limits::Limits;

/// What a manifest says of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Sha256 of the whole archive: the bundle's name.
    pub digest: Digest,
    /// Length of the whole archive in bytes, end blocks included.
    pub size: u64,
    /// How many files and directories it holds.
    pub entries: u64,
}

/// Digest and length of the part of an archive that has gone past.
pub(super) struct Tally {
    hasher: Hasher,
    size: u64,
    size_max: u64,
}

impl Tally {
    pub(super) fn new(limits: &Limits) -> Tally {
        // A looser limit would let in a file whose size does not fit its header field.
        Tally { hasher: Hasher::default(), size: 0, size_max: limits.bundle_max_bytes.min(header::SIZE_MAX) }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Bytes that have gone past.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The longest archive allowed, in bytes.
    pub(super) fn size_max(&self) -> u64 {
        self.size_max
    }

    /// Whether the archive stays within its limit with `more` bytes added.
    pub(super) fn has_room_for(&self, more: u64) -> bool {
        self.size.saturating_add(more) <= self.size_max
    }

    pub(super) fn summary(self, entries: u64) -> Summary {
        Summary { digest: self.hasher.finish(), size: self.size, entries }
    }
}
