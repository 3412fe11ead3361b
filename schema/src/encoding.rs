//! How a bundle travels: its archive as one zstd frame, whole or against an older archive.
//!
//! In: an archive, or the bytes of a frame and the size that was signed. Out: the frame, or never more bytes than that
//! size. Knows nothing of what is in the archive, and the digest of what comes out is for the caller to check.
//!
//! | to make | there is | its cost goes with |
//! | --- | --- | --- |
//! | a whole frame | [`compress`] | the archive |
//! | a whole frame of which most was made before | [`Piece`] and [`join`] | what is new |
//! | a patch where it is known what was taken over | [`patch`] | what is new, and the number of runs |
//! | a patch where it is not | [`patch_by_search`] | both archives |
//!
//! Whatever made it, a [`Decoder`] and the stock `zstd` read it, the latter with `--patch-from` where it is a patch.

mod decoder;
mod error;
mod frame_header;
mod whole;

#[cfg(any(test, feature = "sign"))]
mod bits;
#[cfg(any(test, feature = "sign"))]
mod block;
#[cfg(any(test, feature = "sign"))]
mod body;
#[cfg(any(test, feature = "sign"))]
mod fse;
#[cfg(any(test, feature = "sign"))]
mod patch;
#[cfg(any(test, feature = "sign"))]
mod piece;
#[cfg(any(test, feature = "sign"))]
mod search;
#[cfg(any(test, feature = "sign"))]
mod sequence;

pub use decoder::Decoder;
pub use error::DecodeError;
#[cfg(any(test, feature = "sign"))]
pub use patch::{Run, patch, patch_window_log};
#[cfg(any(test, feature = "sign"))]
pub use piece::{Piece, PieceFault, SEAM, STRETCH_MAX, join};
#[cfg(any(test, feature = "sign"))]
pub use search::patch_by_search;
pub use whole::compress;

/// The level `zstd` takes unless told otherwise.
const LEVEL: i32 = 3;

#[cfg(test)]
mod tests;
