//! What can be wrong with a frame.

use std::io;

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
