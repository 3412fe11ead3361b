//! A patch of which it is known what is taken over from the base.
//!
//! In: the new archive, and the runs that it is made of. Out: a frame against the base, whose bytes are not looked at: whether the
//! runs were right is for whoever decodes it to see.

use std::iter;

use super::block::{BLOCK_MAX, Blocks, Kind};
use super::body::{Past, is_far};
use super::frame_header;
use super::sequence::Sequence;

/// What a stretch of a new archive is. Both lengths are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Bytes of the base archive.
    Copy {
        /// Where in the base they start, counted from 0.
        from: u64,
        /// How many they are.
        len: u64,
    },
    /// Bytes that come with the patch: the next ones of the new archive itself.
    Fresh {
        /// How many they are.
        len: u64,
    },
}

/// Copies of fewer bytes take more room than the bytes themselves.
const WORTH_COPYING: u64 = 8;

/// Writes `archive` as a frame against a base of `base_size` bytes, which `zstd -d --patch-from` takes, too.
///
/// Its size and the time it takes go with the number of runs and the fresh bytes, which are not compressed, and with 9 bytes for
/// every 128 KiB. It has no checksum.
///
/// # Panics
/// When the runs do not add up to the archive, when one copies what is not in the base, or when base and archive together are
/// beyond what bundles can be.
pub fn patch(base_size: u64, archive: &[u8], runs: &[Run]) -> Vec<u8> {
    let size = archive.len() as u64;
    let mut writer =
        Writer { base_size, archive, at: 0, block: Block::default(), past: Past::START, blocks: Blocks::default() };
    for run in joined(runs) {
        match run {
            Run::Copy { from, len } => {
                let within = from.checked_add(len).is_some_and(|end| end <= base_size);
                assert!(within, "{len} bytes from {from} on are not in a base of {base_size}");
                writer.copy(from, len);
            }
            Run::Fresh { len } => writer.fresh(len),
        }
    }
    assert!(writer.at == archive.len(), "runs of {} bytes for an archive of {size}", writer.at);
    writer.close();
    writer.blocks.finish(frame_header::write(size, patch_window_log(size)))
}

/// The window that a patch to an archive of `size` bytes asks for at most, as its base-two logarithm.
///
/// A base can be referred to while the window holds all of the content so far, so it is the content that has to fit, and how long
/// the base is does not matter.
pub fn patch_window_log(size: u64) -> u8 {
    frame_header::window_log_of(size)
}

/// Makes one run of those that continue each other.
fn joined(runs: &[Run]) -> impl Iterator<Item = Run> + '_ {
    let mut runs =
        runs.iter().copied().filter(|run| !matches!(run, Run::Copy { len: 0, .. } | Run::Fresh { len: 0 })).peekable();
    iter::from_fn(move || {
        let mut run = runs.next()?;
        while let Some(longer) = runs.peek().and_then(|next| continued(run, *next)) {
            run = longer;
            runs.next();
        }
        Some(run)
    })
}

fn continued(run: Run, next: Run) -> Option<Run> {
    match (run, next) {
        (Run::Copy { from, len }, Run::Copy { from: next, len: more }) if from + len == next => {
            Some(Run::Copy { from, len: len + more })
        }
        (Run::Fresh { len }, Run::Fresh { len: more }) => Some(Run::Fresh { len: len + more }),
        _ => None,
    }
}

struct Writer<'a> {
    base_size: u64,
    archive: &'a [u8],
    /// Bytes of the archive that are dealt with.
    at: usize,
    block: Block,
    past: Past,
    blocks: Blocks,
}

/// A block that more may be added to.
#[derive(Default)]
struct Block {
    /// Bytes of content.
    size: usize,
    literals: Vec<u8>,
    sequences: Vec<Sequence>,
    /// Literals that no sequence has placed yet.
    waiting: u32,
}

impl Writer<'_> {
    /// Takes over `len` bytes, in as many matches as there are blocks to fill.
    fn copy(&mut self, from: u64, len: u64) {
        let mut left = len;
        while left > 0 {
            let take = left.min(self.room());
            if take < WORTH_COPYING {
                self.literals(take as usize);
            } else {
                let back = self.base_size - from - (len - left) + self.at as u64;
                self.repeat(u32::try_from(back).expect("base and archive of a gigabyte each at most"), take as usize);
            }
            left -= take;
        }
    }

    fn fresh(&mut self, len: u64) {
        let mut left = len;
        while left > 0 {
            let take = left.min(self.room());
            self.literals(take as usize);
            left -= take;
        }
    }

    /// Bytes that the block at hand can take, or a new one.
    fn room(&mut self) -> u64 {
        if self.block.size == BLOCK_MAX {
            self.close();
        }
        (BLOCK_MAX - self.block.size) as u64
    }

    fn literals(&mut self, len: usize) {
        let bytes = self.archive.get(self.at..self.at + len).expect("runs of no more bytes than the archive has");
        self.block.literals.extend(bytes);
        self.block.waiting += len as u32;
        self.block.size += len;
        self.at += len;
    }

    fn repeat(&mut self, offset: u32, len: usize) {
        // What is far has a block of its own.
        if is_far(offset) && !self.block.sequences.is_empty() {
            self.close();
        }
        let literals = std::mem::take(&mut self.block.waiting);
        self.block.sequences.push(Sequence { literals, length: len as u32, offset });
        self.block.size += len;
        self.at += len;
        if is_far(offset) {
            self.close();
        }
    }

    /// Writes the block at hand, in whatever form is shorter, and begins another.
    fn close(&mut self) {
        let block = std::mem::take(&mut self.block);
        if block.size == 0 {
            return;
        }
        let mut past = self.past.clone();
        let body = past.body(&block.literals, &block.sequences);
        if body.len() < block.size {
            self.blocks.push(Kind::Compressed, &body);
            self.past = past;
        } else {
            self.blocks.push(Kind::Raw, &self.archive[self.at - block.size..self.at]);
        }
    }
}

#[cfg(test)]
mod tests;
