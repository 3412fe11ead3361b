//! What a follower sees of a pointer.

use bytes::Bytes;
use schema::enclosed::Part;

use crate::base_url::BaseUrl;
use crate::failure::Failures;

/// What there is to say about a pointer.
#[derive(Debug)]
pub enum Observation {
    /// Bytes that differ from those last accepted. Verify them, and then say
    /// [`accepted`](crate::PointerFollower::accepted) or [`refused`](crate::PointerFollower::refused).
    Changed {
        /// At most the follower's limit of them, and nothing is known of them yet.
        bytes: Bytes,
        /// What came with them, as whoever served it names it, for who said what it has: see
        /// [`PointerFollower::has`](crate::PointerFollower::has). Together with the pointer at most
        /// [`Limits::enclosed_max_bytes`](schema::Limits).
        enclosed: Vec<(Part, Bytes)>,
        /// Who served them.
        from: BaseUrl,
    },
    /// One base URL has nothing newer than what was accepted, or keeps it back.
    Unchanged {
        /// Who said so.
        from: BaseUrl,
        /// Whether it held the request (long-poll), or answered as it came (polling).
        held: bool,
    },
    /// Of all base URLs, in one round, none had the pointer, and at least one said that there is none. That is no reason to
    /// remove anything.
    Absent {
        /// Who said so, last.
        from: BaseUrl,
        /// What each said.
        failures: Failures<PointerRefused>,
    },
    /// Of all base URLs, in one round, none gave anything that can be used.
    Unreachable {
        /// Why not.
        failures: Failures<PointerRefused>,
    },
}

/// Says that the caller refused what a base URL served; why is the caller's to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pointer did not verify")]
pub struct PointerRefused;
