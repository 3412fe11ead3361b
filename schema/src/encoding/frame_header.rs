//! The head of a zstd frame (RFC 8878, section 3.1.1.1): read from outside, and written for frames of our own.

use std::io::{self, BufRead, Read as _};

use super::error::DecodeError;

pub(super) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What the first bytes of a skippable frame have in common: all but the low four bits of the first one.
const SKIPPABLE_MAGIC: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

/// In the descriptor: no window is named, because the window is the content.
const SINGLE_SEGMENT: u8 = 0x20;

/// What the head of a zstd frame announces (RFC 8878, section 3.1.1.1).
pub(super) struct FrameHeader {
    /// As read.
    pub(super) bytes: Vec<u8>,
    /// Memory to decode in, in bytes.
    pub(super) window_size: u64,
    /// Length of the content in bytes, if the frame says so.
    pub(super) content_size: Option<u64>,
}

impl FrameHeader {
    pub(super) fn read(input: &mut impl BufRead) -> io::Result<FrameHeader> {
        let mut bytes = Vec::with_capacity(18);
        match read_array(input, &mut bytes)? {
            MAGIC => {}
            [first, rest @ ..] if first & 0xf0 == SKIPPABLE_MAGIC[0] && rest == SKIPPABLE_MAGIC[1..] => {
                return Err(DecodeError::Skippable.into());
            }
            _ => return Err(DecodeError::Magic.into()),
        }
        let [descriptor] = read_array(input, &mut bytes)?;
        let single_segment = descriptor & SINGLE_SEGMENT != 0;
        let mut window_size = 0;
        if !single_segment {
            let [window] = read_array(input, &mut bytes)?;
            let base = 1_u64 << (10 + (window >> 3));
            window_size = base + base / 8 * u64::from(window & 7);
        }
        match descriptor & 3 {
            0 => {}
            1 => drop(read_array::<1>(input, &mut bytes)?),
            2 => drop(read_array::<2>(input, &mut bytes)?),
            _ => drop(read_array::<4>(input, &mut bytes)?),
        }
        let content_size = match descriptor >> 6 {
            0 if !single_segment => None,
            0 => Some(u8::from_le_bytes(read_array(input, &mut bytes)?).into()),
            1 => Some(256 + u64::from(u16::from_le_bytes(read_array(input, &mut bytes)?))),
            2 => Some(u32::from_le_bytes(read_array(input, &mut bytes)?).into()),
            _ => Some(u64::from_le_bytes(read_array(input, &mut bytes)?)),
        };
        // A single segment is decoded as a whole, so its window is its content.
        let window_size = if single_segment { content_size.unwrap_or_default() } else { window_size };
        Ok(FrameHeader { bytes, window_size, content_size })
    }
}

/// Reads `N` bytes, and keeps a copy at the end of `kept`.
fn read_array<const N: usize>(input: &mut impl BufRead, kept: &mut Vec<u8>) -> io::Result<[u8; N]> {
    let start = kept.len();
    input.take(N as u64).read_to_end(kept)?;
    Ok(kept[start..].try_into().map_err(|_| DecodeError::Truncated)?)
}

/// Writes the head of a frame that says its content's size, needs no dictionary and has no checksum.
///
/// The window is `1 << window_log` bytes, at least `1 << 10`; content that fits into it is its own window.
#[cfg(any(test, feature = "sign"))]
pub(super) fn write(size: u64, window_log: u8) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    let single_segment = size <= 1 << window_log;
    let segment = if single_segment { SINGLE_SEGMENT } else { 0 };
    let (flag, bytes) = match size {
        0..256 if single_segment => (0, vec![size as u8]),
        256..0x1_0100 => (1, ((size - 256) as u16).to_le_bytes().to_vec()),
        0..0x1_0000_0000 => (2, (size as u32).to_le_bytes().to_vec()),
        _ => (3, size.to_le_bytes().to_vec()),
    };
    header.push(flag << 6 | segment);
    if !single_segment {
        header.push((window_log - 10) << 3);
    }
    header.extend(bytes);
    header
}

/// The smallest window that holds `size` bytes, as its base-two logarithm.
#[cfg(any(test, feature = "sign"))]
pub(super) fn window_log_of(size: u64) -> u8 {
    size.max(1 << 10).next_power_of_two().ilog2() as u8
}
