//! Blocks of a frame, in a row (RFC 8878, section 3.1.1.2).
//!
//! In: bodies of blocks, or blocks of another frame. Out: a frame, once there is a header for it. Knows nothing of what is in a
//! body.

use std::io;

use super::error::DecodeError;
use super::frame_header::FrameHeader;

/// A block has no more content than this, and no more than the frame's window.
pub(super) const BLOCK_MAX: usize = 128 * 1024;

/// In a header: no block follows.
const LAST: u8 = 1;

/// Bytes of a block's header.
const HEADER: usize = 3;

/// The kind of a block whose content is one byte, over and over.
const REPEATED: u32 = 1;

/// Blocks in a row, none of them marked as the last one.
#[derive(Clone, Default)]
pub(super) struct Blocks {
    bytes: Vec<u8>,
    /// Where the last one starts.
    last: usize,
}

/// What a block's header says of it.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Its content as it is.
    Raw = 0,
    /// Literals and sequences.
    Compressed = 2,
}

impl Blocks {
    /// Appends a block. `body` is what follows its header, at most [`BLOCK_MAX`] bytes.
    pub(super) fn push(&mut self, kind: Kind, body: &[u8]) {
        self.push_encoded(&[&header(kind, body.len()), body].concat());
    }

    /// Appends a block, its header included, as another frame has it.
    pub(super) fn push_encoded(&mut self, block: &[u8]) {
        self.last = self.bytes.len();
        self.bytes.extend(block);
        self.bytes[self.last] &= !LAST;
    }

    /// Appends `others`.
    pub(super) fn append(&mut self, others: &Blocks) {
        self.last = self.bytes.len() + others.last;
        self.bytes.extend(&others.bytes);
    }

    /// Appends the blocks of a `frame` that libzstd made without a checksum.
    pub(super) fn append_frame(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut rest = frame;
        FrameHeader::read(&mut rest)?;
        while let [low, middle, high, ..] = *rest {
            let header = u32::from_le_bytes([low, middle, high, 0]);
            // Of a byte that repeats, the size tells how often.
            let body = if header >> 1 & 3 == REPEATED { 1 } else { header as usize >> 3 };
            let block = rest.split_off(..HEADER + body).ok_or(DecodeError::Truncated)?;
            self.push_encoded(block);
        }
        Ok(())
    }

    /// The blocks.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes a frame of them, behind its `header`. A frame has one block at least.
    pub(super) fn finish(mut self, header: Vec<u8>) -> Vec<u8> {
        if self.bytes.is_empty() {
            self.push(Kind::Raw, &[]);
        }
        self.bytes[self.last] |= LAST;
        let mut frame = header;
        frame.append(&mut self.bytes);
        frame
    }
}

fn header(kind: Kind, size: usize) -> [u8; HEADER] {
    let [low, middle, high, _] = ((size as u32) << 3 | (kind as u32) << 1).to_le_bytes();
    [low, middle, high]
}
