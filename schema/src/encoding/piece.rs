//! Stretches of an archive that are compressed one by one, and the one frame that they join to.
//!
//! Blocks of a frame hang on those before them by matches, by tables that are used again, and by the three offsets used last. What
//! libzstd makes of a stretch of its own has no matches into anything before it and shares no table, but it counts on the offsets
//! that every frame starts with. So a stretch must end in zeros, and these travel as a block of ours: a few literals, then
//! matches at just those offsets. After it, another stretch can follow.

use std::io::{self, Read as _};

use zstd::bulk::Compressor;
use zstd::stream::raw::CParameter;

use super::block::{Blocks, Kind};
use super::body::Past;
use super::frame_header;
use super::sequence::{Recent, Sequence};
use super::{Decoder, LEVEL};

/// Zero bytes that a stretch ends with: 8 literals and three matches of 3 bytes each.
pub const SEAM: usize = 17;

/// Bytes of a stretch, at most: the largest file of a repository, and 2 MiB for what lies around it.
pub const STRETCH_MAX: usize = 66 << 20;

/// Window of each stretch, and of the frame that they join to: 2 MiB, as `zstd` has it at this level.
const WINDOW_LOG: u8 = 21;

/// One stretch of an archive, compressed on its own.
#[derive(Clone)]
pub struct Piece {
    blocks: Blocks,
    size: u64,
}

/// Says why a stretch of an archive cannot be a piece.
#[derive(Debug, thiserror::Error)]
pub enum PieceFault {
    /// Another one could not follow it.
    #[error("a stretch of {size} bytes does not end in {SEAM} zeros, as it must")]
    Seam {
        /// Bytes of the stretch.
        size: usize,
    },
    /// It is longer than [`STRETCH_MAX`].
    #[error("a stretch of {size} bytes is longer than {STRETCH_MAX}")]
    Long {
        /// Bytes of the stretch.
        size: usize,
    },
    /// What was made of it is not what it was.
    #[error("a stretch of {size} bytes does not decompress to itself; do not trust this machine's memory")]
    Other {
        /// Bytes of the stretch.
        size: usize,
    },
}

impl Piece {
    /// Compresses `stretch`, and decompresses it again to be sure.
    ///
    /// One release of libzstd always makes the same of the same stretch.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] around a [`PieceFault`], and those of libzstd when memory runs out.
    pub fn compress(stretch: &[u8]) -> io::Result<Piece> {
        let size = stretch.len();
        if size > STRETCH_MAX {
            return Err(PieceFault::Long { size }.into());
        }
        let Some(content) = stretch.strip_suffix(&[0; SEAM]) else {
            return Err(PieceFault::Seam { size }.into());
        };
        let mut blocks = Blocks::default();
        if !content.is_empty() {
            let mut zstd = Compressor::new(LEVEL)?;
            zstd.set_parameter(CParameter::WindowLog(WINDOW_LOG.into()))?;
            blocks.append_frame(&zstd.compress(content)?)?;
        }
        blocks.push(Kind::Compressed, &seam());
        let piece = Piece { blocks, size: size as u64 };
        let mut again = Vec::with_capacity(size);
        Decoder::new(&*join([&piece]), size as u64, WINDOW_LOG)?.read_to_end(&mut again)?;
        if again == stretch { Ok(piece) } else { Err(PieceFault::Other { size }.into()) }
    }

    /// Bytes of the stretch that it was made of.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that it adds to a frame.
    pub fn compressed_size(&self) -> u64 {
        self.blocks.bytes().len() as u64
    }
}

impl From<PieceFault> for io::Error {
    fn from(wrong: PieceFault) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, wrong)
    }
}

/// Joins the pieces of all stretches of an archive, in their order, to one frame that says the archive's size.
///
/// It has no checksum: what it is to hold is known by its digest anyway.
pub fn join<'a>(pieces: impl IntoIterator<Item = &'a Piece>) -> Vec<u8> {
    let (mut blocks, mut size) = (Blocks::default(), 0);
    for piece in pieces {
        blocks.append(&piece.blocks);
        size += piece.size;
    }
    blocks.finish(frame_header::write(size, WINDOW_LOG))
}

/// Zeros, by way of the offsets that a frame starts with, the first of them last.
fn seam() -> Vec<u8> {
    let Recent([first, second, third]) = Recent::START;
    let repeat = |literals, offset| Sequence { literals, length: Sequence::MATCH_MIN, offset };
    let mut past = Past::UNKNOWN;
    past.body(&[0; 8], &[repeat(8, third), repeat(0, second), repeat(0, first)])
}

#[cfg(test)]
mod tests;
