//! Reads the content of a frame, within bounds.
//!
//! In: the bytes of a frame, the size that was signed, and for a patch the archive it was made against. Out: the content, or
//! never more bytes than that size.
//!
//! A frame from outside may unpack to thousands of times its length, ask for gigabytes of window, or be followed by frames that
//! another decoder would take for content. The first two are bounded before anything is allocated, the last is refused.

use std::io::{self, BufRead, Cursor, Read};

use zstd::stream::raw::{self, DParameter, Operation as _, Status};

use super::error::DecodeError;
use super::frame_header::FrameHeader;

/// Reads one zstd frame from `R` and yields its content: `size` bytes, or an error.
///
/// The last byte is only given out once the frame has ended, its checksum (if it has one) has matched, and the input
/// has ended after it. Holds one window and one block, whatever the input says. An error is final.
///
/// As a [`Read`] it fails with [`io::ErrorKind::InvalidData`] around a [`DecodeError`] when the bytes are at fault, and
/// with the input's own errors otherwise.
pub struct Decoder<'b, R> {
    input: io::Chain<Cursor<Vec<u8>>, R>,
    zstd: raw::Decoder<'b>,
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

impl<R: BufRead> Decoder<'static, R> {
    /// Reads the frame's header, for content of exactly `size` bytes and a window of at most `1 << window_log_max`.
    ///
    /// # Errors
    /// Those of reading, see [`Decoder`]: the header alone may tell that the content must be refused. Also when libzstd
    /// has no memory, or does not know such a `window_log_max`.
    pub fn new(input: R, size: u64, window_log_max: u8) -> io::Result<Decoder<'static, R>> {
        Decoder::begin(raw::Decoder::new()?, input, size, window_log_max)
    }
}

impl<'b, R: BufRead> Decoder<'b, R> {
    /// The same for a patch: a frame that takes `base` for what came before its content.
    ///
    /// Another base than the one it was made for gives an error, or `size` bytes of something else.
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub fn against(input: R, base: &'b [u8], size: u64, window_log_max: u8) -> io::Result<Decoder<'b, R>> {
        Decoder::begin(raw::Decoder::with_ref_prefix(base)?, input, size, window_log_max)
    }

    fn begin(mut zstd: raw::Decoder<'b>, mut input: R, size: u64, window_log_max: u8) -> io::Result<Decoder<'b, R>> {
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

impl<R: BufRead> Read for Decoder<'_, R> {
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

#[cfg(test)]
mod tests;
