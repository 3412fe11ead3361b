//! Proves a tip: every commit since the one published last was signed by somebody who may.
//!
//! In: a repository's objects, the [`SignerPolicy`](crate::signers::SignerPolicy), what was published last and `now`.
//! Out: a [`VerifiedCommit`], which nothing else can make, or the first commit that is in the way. Where the policy's mode is
//! `head`, the tip's signer answers for all new commits; where nothing was published yet, a seal commit may take the history
//! before it as it is (see the module `seal`).
//!
//! Commits are read here as raw objects, checked against their ids, and what is judged, which parents are walked and which tree is compiled
//! all come out of the same signed bytes. So neither grafts, shallow files, replacements nor a commit graph on disk can
//! show the proof another history than the one that was signed.

mod changes;
mod first_seen;
mod merge_base;
mod object;
mod seal;
mod trailers;
mod tree;
mod verify;
mod walk;

pub use first_seen::FirstSeen;
pub use object::{CommitObject, MalformedCommit};
pub use trailers::Trailer;
pub use verify::{Base, ProofError, VerifiedCommit, verify_commits};
pub use walk::{ForcedTo, WalkError};
