//! How records are spelt in the file, and which of its lines are whole.

use std::path::Path;

use schema::Digest;

use super::{Damage, JournalError, JournalState, Record};

/// The first line.
pub(super) const HEADER: &[u8] = b"driftless/journal/1\n";

/// What the bytes of a journal say.
pub(super) struct Read {
    pub(super) state: JournalState,
    pub(super) records: usize,
    /// Length of the lines that are whole, in bytes.
    pub(super) whole: usize,
}

/// Spells one record, newline included.
pub(super) fn line(record: &Record) -> Vec<u8> {
    let json = serde_json::to_string(record).expect("records have string keys");
    format!("{} {json}\n", Digest::of(json.as_bytes())).into_bytes()
}

pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Read, JournalError> {
    let damaged = |line, wrong| JournalError::Damaged { path: path.to_owned(), line, wrong };
    let Some(lines) = bytes.strip_prefix(HEADER) else { return Err(damaged(1, Damage::Header)) };
    let mut read = Read { state: JournalState::default(), records: 0, whole: HEADER.len() };
    for (index, line) in lines.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let is_last = read.whole + line.len() == bytes.len();
        match parse(line) {
            Ok(record) => read.state.fold(&record),
            Err(_) if is_last && is_torn(line) => break,
            Err(wrong) => return Err(damaged(index + 2, wrong)),
        }
        read.records += 1;
        read.whole += line.len();
    }
    Ok(read)
}

fn parse(line: &[u8]) -> Result<Record, Damage> {
    let line = line.strip_suffix(b"\n").ok_or(Damage::Checksum)?;
    let (sum, json) = str::from_utf8(line).ok().and_then(|line| line.split_once(' ')).ok_or(Damage::Checksum)?;
    if sum.parse() != Ok(Digest::of(json.as_bytes())) {
        return Err(Damage::Checksum);
    }
    serde_json::from_str(json).map_err(|_| Damage::Unknown)
}

/// Whether a crash can have left the last line like this: cut short, or with blocks that were never written. JSON escapes
/// zeros, so no whole line has one.
fn is_torn(line: &[u8]) -> bool {
    !line.ends_with(b"\n") || line.contains(&0)
}
