//! Whether a zstd frame, whole or against another archive, holds the archive that a bundle is named after. Blocks: decompresses
//! and hashes all of it.

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
    let decoder = Decoder::new(&frame[..], size, Limits::DEFAULT.window_log_max);
    let mut hasher = Hasher::default();
    read(decoder, size, |chunk| hasher.update(chunk))?;
    is_that(hasher, digest)
}

/// As [`check`], for a `patch` against the archive `base` that asks for a window of at most `1 << window_log`.
pub(super) fn check_against(
    patch: &Bytes,
    base: &[u8],
    digest: &Digest,
    size: u64,
    window_log: u8,
) -> Result<(), ContentFault> {
    let mut hasher = Hasher::default();
    read(Decoder::against(&patch[..], base, size, window_log), size, |chunk| hasher.update(chunk))?;
    is_that(hasher, digest)
}

/// The archive in `frame`, which must be that of `digest`.
pub(super) fn archive(frame: &Bytes, digest: &Digest, size: u64) -> Result<Vec<u8>, ContentFault> {
    let (mut hasher, mut archive) = (Hasher::default(), Vec::new());
    read(Decoder::new(&frame[..], size, Limits::DEFAULT.window_log_max), size, |chunk| {
        hasher.update(chunk);
        archive.extend_from_slice(chunk);
    })?;
    is_that(hasher, digest).map(|()| archive)
}

fn read(decoder: io::Result<Decoder<'_, &[u8]>>, size: u64, mut each: impl FnMut(&[u8])) -> Result<(), ContentFault> {
    let undecodable = |source| ContentFault::Undecodable { size, source };
    let mut decoder = decoder.map_err(undecodable)?;
    let mut chunk = vec![0; 1 << 16];
    loop {
        match decoder.read(&mut chunk).map_err(undecodable)? {
            0 => return Ok(()),
            read => each(&chunk[..read]),
        }
    }
}

fn is_that(hasher: Hasher, digest: &Digest) -> Result<(), ContentFault> {
    match hasher.finish() {
        found if found == *digest => Ok(()),
        found => Err(ContentFault::OtherDigest(found)),
    }
}
