//! A patch that libzstd finds by itself.

use std::io::{self, Write as _};

use zstd::stream::write::Encoder;

use super::LEVEL;
use super::patch::patch_window_log;

/// What libzstd can index.
const WINDOW_LOG_MAX: u8 = 30;

/// Compresses `archive` against `base` into one frame that ends with a checksum, looking for what they share everywhere.
///
/// Holds both, tables of some 60 MiB and the frame. Takes about a second for 100 MB of archive: for changes too many for
/// [`patch`](super::patch()).
///
/// # Errors
/// Only when memory runs out.
pub fn patch_by_search(base: &[u8], archive: &[u8]) -> io::Result<Vec<u8>> {
    let mut zstd = Encoder::with_ref_prefix(Vec::new(), LEVEL, base)?;
    zstd.set_pledged_src_size(Some(archive.len() as u64))?;
    // How much is indexed hangs on the window. The frame asks for no more than its content, which it says the size of.
    zstd.window_log(patch_window_log((base.len() + archive.len()) as u64).min(WINDOW_LOG_MAX).into())?;
    // Without it matches are only looked for nearby, and of a large base nothing is found.
    zstd.long_distance_matching(true)?;
    zstd.include_checksum(true)?;
    zstd.write_all(archive)?;
    zstd.finish()
}

#[cfg(test)]
mod tests;
