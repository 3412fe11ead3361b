//! What two versions of one file have in common.
//!
//! In: both, and where the old one lies. Out: runs that make the new one of the old one. What they begin and end with is found
//! first; between, every block of the old one is looked for at every place of the new one.

use std::collections::HashMap;

use super::Runs;

/// Bytes that must be the same in one stretch for it to be found.
const BLOCK: usize = 32;

/// The most blocks of the old version that are looked for. In longer ones only every second, or third, and so on, is.
const BLOCKS_MAX: usize = 1 << 18;

/// Adds what makes `new` of `old`, which lies at `at` in the old archive.
pub(super) fn difference((old, at): (&[u8], u64), new: &[u8], runs: &mut Runs) {
    let begin = same(old.iter().zip(new));
    let (rest_old, rest_new) = (&old[begin..], &new[begin..]);
    let end = same(rest_old.iter().rev().zip(rest_new.iter().rev()));
    runs.copy(at, begin as u64);
    between((&rest_old[..rest_old.len() - end], at + begin as u64), &rest_new[..rest_new.len() - end], runs);
    runs.copy(at + (old.len() - end) as u64, end as u64);
}

fn same<'b>(pairs: impl Iterator<Item = (&'b u8, &'b u8)>) -> usize {
    pairs.take_while(|(one, other)| one == other).count()
}

fn between((old, at): (&[u8], u64), new: &[u8], runs: &mut Runs) {
    // What of the new version the runs have yet to cover.
    let mut from = 0;
    if old.len() >= BLOCK && new.len() >= BLOCK {
        let step = BLOCK * old.len().div_ceil(BLOCK * BLOCKS_MAX);
        let mut blocks: HashMap<u64, usize> = HashMap::new();
        for start in (0..=old.len() - BLOCK).step_by(step) {
            blocks.entry(Rolling::over(&old[start..start + BLOCK]).0).or_insert(start);
        }
        let mut place = 0;
        let mut rolling = Rolling::over(&new[..BLOCK]);
        loop {
            let found = blocks.get(&rolling.0).copied();
            match found.filter(|&found| old[found..found + BLOCK] == new[place..place + BLOCK]) {
                Some(found) => {
                    let back = same(old[..found].iter().rev().zip(new[from..place].iter().rev()));
                    let on = BLOCK + same(old[found + BLOCK..].iter().zip(&new[place + BLOCK..]));
                    runs.fresh((place - back - from) as u64);
                    runs.copy(at + (found - back) as u64, (back + on) as u64);
                    from = place + on;
                    place = from;
                    if place + BLOCK > new.len() {
                        break;
                    }
                    rolling = Rolling::over(&new[place..place + BLOCK]);
                }
                None => {
                    if place + BLOCK == new.len() {
                        break;
                    }
                    rolling.roll(new[place], new[place + BLOCK]);
                    place += 1;
                }
            }
        }
    }
    runs.fresh((new.len() - from) as u64);
}

/// A hash of the last [`BLOCK`] bytes, which moves on byte by byte.
struct Rolling(u64);

impl Rolling {
    /// Odd and large, so that every byte reaches all bits to the left of it.
    const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

    /// What a byte counts as when it leaves.
    const LEAVING: u64 = Rolling::BASE.wrapping_pow(BLOCK as u32 - 1);

    fn over(block: &[u8]) -> Rolling {
        Rolling(block.iter().fold(0, |hash, &byte| hash.wrapping_mul(Rolling::BASE).wrapping_add(Rolling::value(byte))))
    }

    fn roll(&mut self, out: u8, into: u8) {
        let without = self.0.wrapping_sub(Rolling::value(out).wrapping_mul(Rolling::LEAVING));
        self.0 = without.wrapping_mul(Rolling::BASE).wrapping_add(Rolling::value(into));
    }

    /// No byte counts as nothing.
    fn value(byte: u8) -> u64 {
        u64::from(byte) + 1
    }
}
