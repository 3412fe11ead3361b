//! Whether a zstd frame holds the archive that a bundle is named after. Blocks: decompresses and hashes all of it.

use std::io::{self, Read as _};

use bytes::Bytes;
use schema::digest::Hasher;
use schema::encoding::Decoder;
use schema::{Digest, Limits};

/// Says why a frame is not a bundle's.
#[derive(Debug, thiserror::Error)]
pub enum ContentFault {
    /// Not one zstd frame of the archive's size.
    #[error("it does not decompress to {size} bytes")]
    Undecodable {
        /// The archive's size.
        size: u64,
        /// What the decoder says.
        #[source]
        source: io::Error,
    },
    /// Another archive.
    #[error("it decompresses to an archive of digest {0}")]
    OtherDigest(Digest),
    /// Not the frame that the manifest vouches for.
    #[error("its bytes are not those that its manifest names")]
    OtherFrame,
}

/// Decompresses `frame` and holds what comes out against `digest`. `size` is the archive's.
pub(super) fn check(frame: &Bytes, digest: &Digest, size: u64) -> Result<(), ContentFault> {
    let undecodable = |source| ContentFault::Undecodable { size, source };
    let mut decoder = Decoder::new(&frame[..], size, Limits::DEFAULT.window_log_max).map_err(undecodable)?;
    let mut hasher = Hasher::default();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match decoder.read(&mut chunk).map_err(undecodable)? {
            0 => break,
            read => hasher.update(&chunk[..read]),
        }
    }
    match hasher.finish() {
        found if found == *digest => Ok(()),
        found => Err(ContentFault::OtherDigest(found)),
    }
}
