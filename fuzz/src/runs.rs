//! Frames of our own making, of whatever they may be made: patches from runs, and wholes from pieces, decode to what went in.

use std::io::Read as _;

use schema::encoding::{Decoder, Piece, Run, SEAM, join, patch, patch_window_log};

/// The target `runs`: a byte of the base's length, the base, then runs of four bytes each: two of length, whose lowest bit tells a
/// copy, and two of where from.
pub fn check(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let Some((base, told)) = rest.split_at_checked(usize::from(*length)) else { return };
    let (mut runs, mut archive) = (Vec::new(), Vec::new());
    // Long enough for several blocks.
    let base = base.repeat(600);
    for told in told.chunks_exact(4).take(64) {
        let [len, from] = [&told[..2], &told[2..]].map(|pair| usize::from(pair[0]) | usize::from(pair[1]) << 8);
        let (is_copy, len, from) = (len & 1 == 1, len >> 1, from % base.len().max(1));
        if is_copy {
            let len = len.min(base.len() - from);
            runs.push(Run::Copy { from: from as u64, len: len as u64 });
            archive.extend_from_slice(&base[from..][..len]);
        } else {
            runs.push(Run::Fresh { len: len as u64 });
            archive.extend((0..len).map(|n| (n * (from | 1) >> 3) as u8));
        }
    }
    let size = archive.len() as u64;
    let frame = patch(base.len() as u64, &archive, &runs);
    let decoder = Decoder::against(&frame[..], &base, size, patch_window_log(size));
    assert!(all_of(decoder.expect("our own header")) == archive, "the patch makes something else");

    let stretches = archive.chunks(10_000).map(|content| [content, &[0; SEAM]].concat());
    let stretches: Vec<Vec<u8>> = stretches.collect();
    let pieces = stretches.iter().map(|stretch| Piece::compress(stretch).expect("it ends in zeros"));
    let frame = join(&pieces.collect::<Vec<_>>());
    let whole = stretches.concat();
    let decoder = Decoder::new(&frame[..], whole.len() as u64, 23);
    assert!(all_of(decoder.expect("our own header")) == whole, "the pieces join to something else");
}

fn all_of(mut decoder: Decoder<'_, &[u8]>) -> Vec<u8> {
    let mut content = Vec::new();
    decoder.read_to_end(&mut content).expect("our own frame");
    content
}
