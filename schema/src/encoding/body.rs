//! The body of a compressed block: literals as they are, and the sequences that place them (RFC 8878, section 3.1.1.3).

use super::bits::BitWriter;
use super::fse::{self, Table};
use super::sequence::{self, Coded, Recent, Sequence};

/// What a body hangs on of the blocks before it.
#[derive(Clone)]
pub(super) struct Past {
    recent: Recent,
    tables: [Option<Choice>; 3],
}

/// Which table a kind of code is read with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    Predefined,
    /// One code for all.
    Only(u8),
}

impl Past {
    /// At the start of a frame.
    pub(super) const START: Past = Past { recent: Recent::START, tables: [None; 3] };

    /// After blocks by somebody else.
    pub(super) const UNKNOWN: Past = Past { recent: Recent::UNKNOWN, tables: [None; 3] };

    /// Makes the body of the next block. Where there is more than one sequence, no offset may be [`is_far`].
    pub(super) fn body(&mut self, literals: &[u8], sequences: &[Sequence]) -> Vec<u8> {
        let mut body = literals_section(literals);
        match sequences.len() {
            count @ 0..0x80 => body.push(count as u8),
            count @ 0x80..0x7f00 => body.extend([(count >> 8) as u8 | 0x80, count as u8]),
            count => body.extend([0xff, (count - 0x7f00) as u8, ((count - 0x7f00) >> 8) as u8]),
        }
        if sequences.is_empty() {
            return body;
        }
        let coded = sequences.iter().map(|sequence| {
            let literals = sequence::literals(sequence.literals);
            [literals, self.recent.code(sequence), sequence::length(sequence.length)]
        });
        let coded: Vec<[Coded; 3]> = coded.collect();
        let choices = [0, 1, 2].map(|kind| choose(coded.iter().map(|codes| codes[kind].code)));
        let modes = body.len();
        body.push(0);
        for (kind, (before, chosen)) in self.tables.iter_mut().zip(choices).enumerate() {
            let mode = match chosen {
                _ if *before == Some(chosen) => REPEAT,
                Choice::Predefined => PREDEFINED,
                Choice::Only(code) => {
                    body.push(code);
                    ONLY
                }
            };
            body[modes] |= mode << (6 - 2 * kind);
            *before = Some(chosen);
        }
        body.extend(bits_of(&coded, choices));
        body
    }
}

/// Whether the predefined table has no code for an offset: it goes up to 2^29.
pub(super) fn is_far(offset: u32) -> bool {
    offset + 3 >= 1 << 29
}

// How the table of a kind of code is told.
const PREDEFINED: u8 = 0;
const ONLY: u8 = 1;
const REPEAT: u8 = 3;

fn choose(mut codes: impl Iterator<Item = u8>) -> Choice {
    let first = codes.next().expect("one sequence at least");
    if codes.all(|code| code == first) { Choice::Only(first) } else { Choice::Predefined }
}

/// The literals, or just one of them where all are the same.
fn literals_section(literals: &[u8]) -> Vec<u8> {
    let same = literals.len() > 1 && literals.iter().all(|byte| *byte == literals[0]);
    let (kind, bytes) = if same { (1, &literals[..1]) } else { (0, literals) };
    let mut section = match literals.len() {
        size @ 0..32 => vec![(size << 3) as u8 | kind],
        size @ 32..4096 => ((size << 4) as u16 | 1 << 2 | u16::from(kind)).to_le_bytes().to_vec(),
        size => ((size << 4) as u32 | 3 << 2 | u32::from(kind)).to_le_bytes()[..3].to_vec(),
    };
    section.extend(bytes);
    section
}

/// The sequences as one stream, the last of them first, because it is read from its end.
fn bits_of(coded: &[[Coded; 3]], choices: [Choice; 3]) -> Vec<u8> {
    let only = choices.map(|choice| match choice {
        Choice::Only(code) => Table::only(code),
        Choice::Predefined => Table::only(0),
    });
    let predefined = [&*fse::LITERALS, &*fse::OFFSETS, &*fse::MATCHES];
    let table = |kind: usize| if choices[kind] == Choice::Predefined { predefined[kind] } else { &only[kind] };
    let tables = [table(0), table(1), table(2)];
    let mut bits = BitWriter::default();
    let mut states = None;
    for codes in coded.iter().rev() {
        states = Some(match states {
            None => [0, 1, 2].map(|kind: usize| tables[kind].last(codes[kind].code)),
            Some(next) => {
                let next: [u32; 3] = next;
                let steps = [0, 1, 2].map(|kind: usize| tables[kind].step(codes[kind].code, next[kind]));
                for kind in [OFFSET, MATCH, LITERALS] {
                    bits.write(steps[kind].value, steps[kind].bits);
                }
                steps.map(|step| step.state)
            }
        });
        for kind in [LITERALS, MATCH, OFFSET] {
            bits.write(codes[kind].value, codes[kind].bits);
        }
    }
    let states = states.expect("one sequence at least");
    for kind in [MATCH, OFFSET, LITERALS] {
        bits.write(states[kind], tables[kind].accuracy_log);
    }
    bits.finish()
}

// Where each kind of code stands, in the order that the format tells their tables.
const LITERALS: usize = 0;
const OFFSET: usize = 1;
const MATCH: usize = 2;
