//! Where an archive is cut into the stretches that are compressed one by one.
//!
//! In: its layout. Out: the stretches, in order, each with a name for its content. Pure. A cut is right behind the head of an
//! entry, which ends in zeros, at the entry whose path draws the lowest lot for some way: so a change moves the cuts around it, and
//! a little further on the same ones are found again.

use std::ops::Range;

use schema::Digest;
use schema::digest::Hasher;
use schema::encoding::STRETCH_MAX;

use crate::compile::{Layout, Span};

/// Bytes of a stretch, at least; but for the last one.
const MIN: u64 = 256 << 10;

/// Bytes of a stretch, at most, where the files in it are small.
const MAX: u64 = 1 << 20;

/// Bytes of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) range: Range<u64>,
    /// The same for the same bytes, whatever archive they are in.
    pub(super) name: Digest,
}

/// Cuts an archive; none where a file is longer than a stretch can be.
pub(super) fn stretches(layout: &Layout) -> Option<Vec<Stretch>> {
    let spans = layout.spans();
    let mut stretches = Vec::new();
    // The first span of a stretch, and where in it the stretch begins.
    let (mut first, mut start) = (0, 0);
    while layout.size() - start > MAX {
        let ends = spans[first..].iter().enumerate().map(|(at, span)| (first + at, span));
        let mut ends = ends.skip_while(|(_, span)| span.content_at - start < MIN).peekable();
        let within = |(_, span): &(usize, &Span)| span.content_at - start <= MAX;
        let cut = match ends.peek() {
            Some(end) if within(end) => ends.take_while(within).min_by_key(|(_, span)| lot(span.path.as_str())),
            _ => ends.next(),
        };
        let Some((at, span)) = cut else { break };
        stretches.push(stretch(&spans[first..=at], start..span.content_at)?);
        (first, start) = (at, span.content_at);
    }
    stretches.push(stretch(&spans[first..], start..layout.size())?);
    Some(stretches)
}

fn stretch(spans: &[Span], range: Range<u64>) -> Option<Stretch> {
    if range.end - range.start > STRETCH_MAX as u64 {
        return None;
    }
    let mut name = Hasher::default();
    for span in spans {
        let path = span.path.as_str();
        // Where the stretch begins and ends within its first and last entry.
        let from = range.start.saturating_sub(span.at);
        let to = range.end.min(span.end).saturating_sub(span.at);
        for number in [from, to, path.len() as u64] {
            name.update(&number.to_le_bytes());
        }
        name.update(path.as_bytes());
        match span.file {
            None => name.update(b"d"),
            Some(file) => {
                name.update(if file.executable { b"x" } else { b"f" });
                name.update(&file.size.to_le_bytes());
                name.update(&file.blob.0);
            }
        }
    }
    // Only the last stretch has the zeros that end an archive.
    let end = spans.last().map_or(range.start, |last| last.end);
    name.update(&range.end.saturating_sub(end).to_le_bytes());
    Some(Stretch { range, name: name.finish() })
}

/// A number drawn by `path`, always the same one.
fn lot(path: &str) -> u64 {
    let hash = path
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    // The last bytes of a path have not reached the high bits yet.
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests;
