//! Walks a store from outside, with nothing but a trust root, and says what does not hold.
//!
//! In: a store, a root that came from a trusted hand, and the time. Out: a [`Report`]: what was looked at, and one [`Finding`] for
//! each thing that is not as it must be. Only reads; needs no key, no repository and no publisher.
//!
//! What is believed rests on two things alone. Signatures: of roots that follow from the given one, and of records, pointers and
//! manifests under those roots. And digests: each pointer names the one before it, its manifest and its bundle, so that what is
//! older than the given root is held by what is newer. Every object of the store is accounted for; one that belongs to nothing
//! is told as well.
//!
//! What no audit of a store alone can tell is what is not in it: a whole region that was removed with all that names it, or all of a
//! store put back to how it once stood, until its pointers expire. So a [`Report`] says what stands where, to be held against an
//! earlier one.
//!
//! Where to start reading: `walk.rs` (the order of it), then `chain.rs` and `history.rs` (which decide, and read nothing).

mod chain;
mod finding;
mod frame;
mod history;
mod release;
mod report;
mod rollout;
mod survey;
#[cfg(test)]
mod tests;
mod walk;

pub use finding::{Finding, Flaw, Named, Severity};
pub use frame::NotTheArchive;
pub use report::{Counts, Report, Standing, Verdict};
pub use walk::{AuditError, Progress, verify};
