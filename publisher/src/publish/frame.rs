//! The frame that a bundle travels in, made of what was made before as far as it did not change.
//!
//! In: a bundle, and what the frames of the app's bundles before were joined of. Out: the frame, its sha256, and what it was joined
//! of. Blocks: compresses what is new, on all cores.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use schema::Digest;
use schema::encoding::{Piece, compress, join};

use super::stretches::stretches;
use crate::compile::{CompiledBundle, Marks};
use crate::side_by_side::side_by_side;

/// Archives of fewer bytes are compressed at once, which takes a few milliseconds and gives a slightly smaller frame.
const IN_PIECES_MIN: usize = 1 << 20;

/// A bundle's frame.
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: Digest,
    /// None where it was made at once.
    pub(super) joined: Option<Joined>,
}

/// What a frame was joined of.
pub(super) struct Joined {
    /// What comes before all pieces.
    head: Vec<u8>,
    /// The compressed stretches in their order, by what is in them.
    pieces: Vec<(Digest, Arc<Piece>)>,
    /// How far the frame's sha256 was on the way.
    marks: Marks,
}

/// Compresses `bundle`, but for the stretches of it that are known from frames made `before`.
///
/// The same bundle gives the same frame, whatever is known.
///
/// # Errors
/// When memory runs out, or fails.
pub(super) fn frame(bundle: &CompiledBundle, before: &[Arc<Joined>]) -> io::Result<Frame> {
    let archive = &bundle.archive;
    let cut = if archive.len() < IN_PIECES_MIN { None } else { stretches(&bundle.layout) };
    let Some(cut) = cut else {
        let bytes = compress(archive)?;
        return Ok(Frame { sha256: Digest::of(&bytes), bytes, joined: None });
    };
    let known: HashMap<Digest, &Arc<Piece>> =
        before.iter().flat_map(|joined| joined.pieces.iter().map(|(name, piece)| (*name, piece))).collect();
    let pieces = side_by_side(&cut, |stretch| match known.get(&stretch.name) {
        Some(piece) => Ok((stretch.name, Arc::clone(piece))),
        None => {
            let (start, end) = (stretch.range.start as usize, stretch.range.end as usize);
            Piece::compress(&archive[start..end]).map(|piece| (stretch.name, Arc::new(piece)))
        }
    });
    let pieces = pieces.into_iter().collect::<io::Result<Vec<_>>>()?;
    let bytes = join(pieces.iter().map(|(_, piece)| &**piece));
    let of_pieces: u64 = pieces.iter().map(|(_, piece)| piece.compressed_size()).sum();
    let head = bytes[..bytes.len() - of_pieces as usize].to_vec();
    let likest = before.iter().map(|joined| (joined, same(joined, &head, &pieces))).max_by_key(|(_, same)| *same);
    let (sha256, marks) =
        Marks::over(&bytes, likest.map(|(joined, _)| &joined.marks), likest.map_or(0, |(_, same)| same));
    Ok(Frame { bytes, sha256, joined: Some(Joined { head, pieces, marks }) })
}

/// How many bytes a frame begins with that are those of `before`, at least.
fn same(before: &Joined, head: &[u8], pieces: &[(Digest, Arc<Piece>)]) -> u64 {
    if before.head != head {
        return 0;
    }
    // The last piece says that it is the last one.
    let all_but_last = |pieces: &[(Digest, Arc<Piece>)]| pieces.len().saturating_sub(1);
    let pairs = before.pieces[..all_but_last(&before.pieces)].iter().zip(&pieces[..all_but_last(pieces)]);
    let same = pairs.take_while(|((old, _), (new, _))| old == new);
    head.len() as u64 + same.map(|(_, (_, piece))| piece.compressed_size()).sum::<u64>()
}

#[cfg(test)]
mod tests;
