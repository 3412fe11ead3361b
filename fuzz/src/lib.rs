//! What each fuzz target feeds, and what must hold of whatever is accepted.
//!
//! In: bytes that a fuzzer made up. Out: nothing, or a panic that is a bug. "No panic" alone would be little: each target
//! also states what an accepted input is, so that a parser that starts to believe too much is found as well.
//!
//! Every target lives in a function here, and `targets/` only binds it to libFuzzer.

pub mod acks;
pub mod archive;
pub mod block;
pub mod frame;
pub mod patch;
pub mod runs;
pub mod sealed;
#[cfg(feature = "source")]
pub mod source;
