//! How a bundle travels: its archive as one zstd frame.
//!
//! In: an archive, or the bytes of a frame and the size that was signed. Out: the frame, or never more bytes than that
//! size. Knows nothing of what is in the archive, and the digest of what comes out is for the caller to check.
//!
//! A frame from outside may unpack to thousands of times its length, ask for gigabytes of window, or be followed by
//! frames that another decoder would take for content. [`Decoder`] bounds the first two before it allocates, and
//! refuses the last.

use std::io::{self, BufRead, Cursor, Read};

use zstd::bulk::Compressor;
use zstd::stream::raw::{self, CParameter, DParameter, Operation as _, Status};

/// The level `zstd` takes unless told otherwise. Its window is 2 MiB, well within the 8 MiB that a decoder must allow.
const LEVEL: i32 = 3;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What the first bytes of a skippable frame have in common: all but the low four bits of the first one.
const SKIPPABLE_MAGIC: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

/// Compresses `archive` into one frame that says its size and ends with a checksum.
///
/// One release of libzstd always gives the same frame for the same archive.
///
/// # Errors
/// Only when memory runs out.
pub fn compress(archive: &[u8]) -> io::Result<Vec<u8>> {
    let mut zstd = Compressor::new(LEVEL)?;
    zstd.set_parameter(CParameter::ContentSizeFlag(true))?;
    zstd.set_parameter(CParameter::ChecksumFlag(true))?;
    zstd.compress(archive)
}

/// Reads one zstd frame from `R` and yields its content: `size` bytes, or an error.
///
/// The last byte is only given out once the frame has ended, its checksum (if it has one) has matched, and the input
/// has ended after it. Holds one window and one block, whatever the input says. An error is final.
///
/// As a [`Read`] it fails with [`io::ErrorKind::InvalidData`] around a [`DecodeError`] when the bytes are at fault, and
/// with the input's own errors otherwise.
pub struct Decoder<R> {
    input: io::Chain<Cursor<Vec<u8>>, R>,
    zstd: raw::Decoder<'static>,
    size: u64,
    left: u64,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Within,
    Ended,
    Failed,
}

impl<R: BufRead> Decoder<R> {
    /// Reads the frame's header, for content of exactly `size` bytes and a window of at most `1 << window_log_max`.
    ///
    /// # Errors
    /// Those of reading, see [`Decoder`]: the header alone may tell that the content must be refused. Also when libzstd
    /// has no memory, or does not know such a `window_log_max`.
    pub fn new(mut input: R, size: u64, window_log_max: u8) -> io::Result<Decoder<R>> {
        let mut zstd = raw::Decoder::new()?;
        zstd.set_parameter(DParameter::WindowLogMax(window_log_max.into()))?;
        let header = FrameHeader::read(&mut input)?;
        // libzstd would check only when it comes to need a window, which hangs on the sizes of buffers.
        if header.window_size > 1 << window_log_max {
            return Err(DecodeError::Window { window_size: header.window_size, window_log_max }.into());
        }
        if let Some(stated) = header.content_size.filter(|stated| *stated != size) {
            return Err(DecodeError::StatedSize { stated, size }.into());
        }
        Ok(Decoder { input: Cursor::new(header.bytes).chain(input), zstd, size, left: size, state: State::Within })
    }

    /// Decodes at least one byte into `buffer`, or sees the frame end; and if it was the last byte, sees the input end.
    fn advance(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let (mut written, mut ended) = (0, false);
        while most > 0 && written == 0 && !ended {
            let status = self.step(&mut buffer[..most])?;
            (written, ended) = (status.bytes_written, status.remaining == 0);
        }
        self.left -= written as u64;
        if self.left > 0 {
            return if ended {
                Err(DecodeError::Short { size: self.size, missing: self.left }.into())
            } else {
                Ok(written)
            };
        }
        while !ended {
            let status = self.step(&mut [0])?;
            if status.bytes_written > 0 {
                return Err(DecodeError::Long { size: self.size }.into());
            }
            ended = status.remaining == 0;
        }
        if self.input.by_ref().take(1).read_to_end(&mut Vec::new())? > 0 {
            return Err(DecodeError::Trailing.into());
        }
        self.state = State::Ended;
        Ok(written)
    }

    /// Decodes some of the input at hand into `room`; nothing remains when the frame has ended.
    fn step(&mut self, room: &mut [u8]) -> io::Result<Status> {
        let input = loop {
            match self.input.fill_buf() {
                Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => {}
                filled => break filled?,
            }
        };
        let starved = input.is_empty();
        let status = self.zstd.run_on_buffers(input, room).map_err(DecodeError::Corrupt)?;
        self.input.consume(status.bytes_read);
        // Without input zstd may still hold output.
        if starved && status.bytes_written == 0 && status.remaining > 0 {
            return Err(DecodeError::Truncated.into());
        }
        Ok(status)
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.state {
            State::Ended => Ok(0),
            State::Failed => Err(DecodeError::Failed.into()),
            State::Within => self.advance(buffer).inspect_err(|_| self.state = State::Failed),
        }
    }
}

/// What the head of a zstd frame announces (RFC 8878, section 3.1.1.1).
struct FrameHeader {
    /// As read.
    bytes: Vec<u8>,
    /// Memory to decode in, in bytes.
    window_size: u64,
    /// Length of the content in bytes, if the frame says so.
    content_size: Option<u64>,
}

impl FrameHeader {
    fn read(input: &mut impl BufRead) -> io::Result<FrameHeader> {
        let mut bytes = Vec::with_capacity(18);
        match read_array(input, &mut bytes)? {
            MAGIC => {}
            [first, rest @ ..] if first & 0xf0 == SKIPPABLE_MAGIC[0] && rest == SKIPPABLE_MAGIC[1..] => {
                return Err(DecodeError::Skippable.into());
            }
            _ => return Err(DecodeError::Magic.into()),
        }
        let [descriptor] = read_array(input, &mut bytes)?;
        let single_segment = descriptor & 0x20 != 0;
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

/// What can be wrong with the frame a bundle travels in.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Something else than zstd.
    #[error("it does not start as a zstd frame")]
    Magic,
    /// A frame that decoders skip, and that may hide anything.
    #[error("it starts with a skippable frame")]
    Skippable,
    /// Needs more memory than allowed.
    #[error("the frame asks for a window of {window_size} bytes, more than 2^{window_log_max}")]
    Window {
        /// Bytes asked for.
        window_size: u64,
        /// The limit's base-two logarithm.
        window_log_max: u8,
    },
    /// Announces another size than the signed one.
    #[error("the frame says it holds {stated} bytes, not {size}")]
    StatedSize {
        /// Bytes announced.
        stated: u64,
        /// Bytes signed for.
        size: u64,
    },
    /// Less content than was signed for.
    #[error("the frame ends {missing} bytes short of {size}")]
    Short {
        /// Bytes signed for.
        size: u64,
        /// Bytes that did not come.
        missing: u64,
    },
    /// More content than was signed for.
    #[error("the frame holds more than {size} bytes")]
    Long {
        /// Bytes signed for.
        size: u64,
    },
    /// The input ends within the frame.
    #[error("the frame is cut short")]
    Truncated,
    /// Input after the frame.
    #[error("something follows the frame")]
    Trailing,
    /// Not decodable, or damaged.
    #[error("the frame is corrupt")]
    Corrupt(#[source] io::Error),
    /// Reading went on after an error.
    #[error("decoding failed before")]
    Failed,
}

impl From<DecodeError> for io::Error {
    fn from(wrong: DecodeError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, wrong)
    }
}

#[cfg(test)]
mod tests;
