//! A whole archive, compressed at once.

use std::io;

use zstd::bulk::Compressor;
use zstd::stream::raw::CParameter;

use super::LEVEL;

/// Compresses `archive` into one frame that says its size and ends with a checksum.
///
/// One release of libzstd always gives the same frame for the same archive. The window is 2 MiB at most, well within the 8 MiB
/// that a decoder must allow.
///
/// # Errors
/// Only when memory runs out.
pub fn compress(archive: &[u8]) -> io::Result<Vec<u8>> {
    let mut zstd = Compressor::new(LEVEL)?;
    zstd.set_parameter(CParameter::ContentSizeFlag(true))?;
    zstd.set_parameter(CParameter::ChecksumFlag(true))?;
    zstd.compress(archive)
}
