//! Sequences: so many literals, then so many bytes from so far back; and the codes that stand for these numbers.
//!
//! Each number is a code and some bits that tell what the code leaves open (RFC 8878, section 3.1.1.3.2.1).

/// Some bytes of the literals, then a copy of what was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    /// Bytes of literals, fewer than 2^17.
    pub(super) literals: u32,
    /// Bytes that are copied, from [`Sequence::MATCH_MIN`] to 2^17.
    pub(super) length: u32,
    /// How far back they are, at least 1.
    pub(super) offset: u32,
}

impl Sequence {
    /// What the format can copy at least.
    pub(super) const MATCH_MIN: u32 = 3;
}

/// A number as a code, and the bits that come with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coded {
    pub(super) code: u8,
    pub(super) value: u32,
    pub(super) bits: u32,
}

/// The three offsets used last, the latest first. Zero stands for one that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recent(pub(super) [u32; 3]);

impl Recent {
    /// What every frame starts with.
    pub(super) const START: Recent = Recent([1, 4, 8]);

    /// After blocks by somebody else.
    pub(super) const UNKNOWN: Recent = Recent([0; 3]);

    /// Codes the offset of `sequence`, as one of these three if it can be.
    pub(super) fn code(&mut self, sequence: &Sequence) -> Coded {
        let Sequence { offset, literals, .. } = *sequence;
        let [first, second, third] = self.0;
        // Without literals between them the last match would just have been longer, so there the names mean others.
        let named = if literals > 0 { [first, second, third] } else { [second, third, first.saturating_sub(1)] };
        let name = named.iter().position(|recent| *recent == offset);
        let value = name.map_or(offset + 3, |name| name as u32 + 1);
        self.0 = match () {
            () if offset == first && literals > 0 => self.0,
            () if offset == second && value <= 3 => [second, first, third],
            () => [offset, first, second],
        };
        let bits = value.ilog2();
        Coded { code: bits as u8, value: value - (1 << bits), bits }
    }
}

/// Codes a number of literals.
pub(super) fn literals(count: u32) -> Coded {
    coded(count, 0, 16, &LITERALS_BITS)
}

/// Codes the length of a match.
pub(super) fn length(length: u32) -> Coded {
    coded(length, Sequence::MATCH_MIN, 32, &LENGTH_BITS)
}

/// Bits of the codes of literals from 16 on.
const LITERALS_BITS: [u32; 20] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

/// Bits of the codes of lengths from 32 on.
const LENGTH_BITS: [u32; 21] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

/// The first `plain` numbers from `least` on are codes by themselves; each code after these covers a range.
fn coded(number: u32, least: u32, plain: u32, ranges: &[u32]) -> Coded {
    let number = number - least;
    if number < plain {
        return Coded { code: number as u8, value: 0, bits: 0 };
    }
    let (mut code, mut start) = (plain as u8, plain);
    for bits in ranges {
        if number - start < 1 << bits {
            return Coded { code, value: number - start, bits: *bits };
        }
        (code, start) = (code + 1, start + (1 << bits));
    }
    unreachable!("no block is that long")
}
