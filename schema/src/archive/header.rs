//! The blocks in front of an entry's content, as bytes.
//!
//! In: an [`Entry`]. Out: its header block, with the pax header before it when the name is long. The other way only
//! what it takes to know the entry is parsed; the rest is settled by encoding the entry and comparing.

use std::ops::Range;

use super::entry::{Entry, Kind};

/// Everything in an archive starts at a multiple of this many bytes.
pub(super) const BLOCK: usize = 512;

/// The two blocks of zeros that end an archive.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The largest size that eleven octal digits can say.
pub(super) const SIZE_MAX: u64 = (1 << 33) - 1;

/// Type of a regular file.
pub(super) const FILE: u8 = b'0';
/// Type of a directory.
pub(super) const DIRECTORY: u8 = b'5';
/// Type of a pax header for the entry that follows it.
pub(super) const PAX: u8 = b'x';

const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const UID: Range<usize> = 108..116;
const GID: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const TYPE: usize = 156;
const LINKNAME: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..263;
const VERSION: Range<usize> = 263..265;
const UNAME: Range<usize> = 265..297;
const GNAME: Range<usize> = 297..329;
const DEVMAJOR: Range<usize> = 329..337;
const DEVMINOR: Range<usize> = 337..345;
const PREFIX: Range<usize> = 345..500;
const UNUSED: Range<usize> = 500..512;

/// All fields, the checksum last: it differs whenever another one does.
const FIELDS: [(&str, Range<usize>); 17] = [
    ("name", NAME),
    ("mode", MODE),
    ("uid", UID),
    ("gid", GID),
    ("size", SIZE),
    ("mtime", MTIME),
    ("typeflag", TYPE..TYPE + 1),
    ("linkname", LINKNAME),
    ("magic", MAGIC),
    ("version", VERSION),
    ("uname", UNAME),
    ("gname", GNAME),
    ("devmajor", DEVMAJOR),
    ("devminor", DEVMINOR),
    ("prefix", PREFIX),
    ("unused", UNUSED),
    ("checksum", CHECKSUM),
];

/// Encodes all that comes before the content of `entry`: one block, or pax header, pax record and then that block.
///
/// The size must be at most [`SIZE_MAX`].
pub(super) fn encode(entry: &Entry) -> Vec<u8> {
    let (suffix, mode, kind) = match entry.kind {
        Kind::Directory => ("/", 0o755, DIRECTORY),
        Kind::File { executable: true, .. } => ("", 0o755, FILE),
        Kind::File { executable: false, .. } => ("", 0o644, FILE),
    };
    let name = format!("{}{suffix}", entry.path);
    let mut blocks = Vec::new();
    if name.len() > NAME.len() {
        let record = path_record(&name);
        blocks.extend(encode_block(b"PaxHeader", 0o644, record.len() as u64, PAX));
        blocks.extend(record.as_bytes());
        blocks.resize(blocks.len().next_multiple_of(BLOCK), 0);
    }
    let short = &name.as_bytes()[..name.len().min(NAME.len())];
    blocks.extend(encode_block(short, mode, entry.kind.size(), kind));
    blocks
}

/// How many bytes [`encode`] makes of `entry`.
pub(super) fn encoded_len(entry: &Entry) -> u64 {
    let slash = usize::from(entry.kind == Kind::Directory);
    let name = entry.path.as_str().len() + slash;
    let blocks = match name > NAME.len() {
        true => 2 * BLOCK + record_len(name).next_multiple_of(BLOCK),
        false => BLOCK,
    };
    blocks as u64
}

/// A pax record: its own length in bytes, ` path=`, the name and a newline.
fn path_record(name: &str) -> String {
    format!("{} path={name}\n", record_len(name.len()))
}

/// How long the pax record of a name of `name` bytes is.
fn record_len(name: usize) -> usize {
    let rest = " path=\n".len() + name;
    let digits = |length: usize| length.checked_ilog10().map_or(1, |log| log as usize + 1);
    let mut length = rest;
    // The digits count too, and counting them may take one more digit.
    while length != rest + digits(length) {
        length = rest + digits(length);
    }
    length
}

fn encode_block(name: &[u8], mode: u64, size: u64, kind: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..name.len()].copy_from_slice(name);
    put_octal(&mut block[MODE], mode);
    put_octal(&mut block[UID], 0);
    put_octal(&mut block[GID], 0);
    put_octal(&mut block[SIZE], size);
    put_octal(&mut block[MTIME], 0);
    block[TYPE] = kind;
    block[MAGIC].copy_from_slice(b"ustar\0");
    block[VERSION].copy_from_slice(b"00");
    put_octal(&mut block[DEVMAJOR], 0);
    put_octal(&mut block[DEVMINOR], 0);
    put_checksum(&mut block);
    block
}

/// Fills `field` with the octal digits of `value` and one NUL.
fn put_octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    field[..digits].copy_from_slice(format!("{value:0digits$o}").as_bytes());
}

/// Sets the checksum: the sum of all bytes, those of the checksum counted as blanks, in six digits, a NUL and a blank.
pub(super) fn put_checksum(block: &mut [u8; BLOCK]) {
    block[CHECKSUM].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    put_octal(&mut block[CHECKSUM.start..CHECKSUM.end - 1], sum);
}

/// The type of the entry that `block` heads.
pub(super) fn kind(block: &[u8]) -> u8 {
    block[TYPE]
}

/// The name in `block`, up to a NUL.
pub(super) fn name(block: &[u8]) -> &[u8] {
    let field = &block[NAME];
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

/// Whether the mode in `block` starts as that of an executable file does.
pub(super) fn executable(block: &[u8]) -> bool {
    block[MODE].starts_with(b"0000755")
}

/// The size in `block`, if it is eleven octal digits and a NUL.
pub(super) fn size(block: &[u8]) -> Option<u64> {
    let digits = block[SIZE].strip_suffix(b"\0")?;
    digits.iter().try_fold(0, |size, byte| match byte {
        b'0'..=b'7' => Some(size * 8 + u64::from(byte - b'0')),
        _ => None,
    })
}

/// The path in a pax header's content, if that is one `path` record.
pub(super) fn path_in_record(record: &[u8]) -> Option<&[u8]> {
    let space = record.iter().position(|byte| *byte == b' ')?;
    let path = record[space..].strip_prefix(b" path=")?.strip_suffix(b"\n")?;
    (!path.contains(&b'\n')).then_some(path)
}

/// The first field in which two header blocks differ.
pub(super) fn differing_field(ours: &[u8], theirs: &[u8]) -> Option<&'static str> {
    FIELDS.iter().find(|(_, field)| ours[field.clone()] != theirs[field.clone()]).map(|(name, _)| *name)
}

/// Zeros after content of `size` bytes.
pub(super) fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64) - size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::path::EntryPath;

    fn file(path: &str) -> Entry {
        let path = EntryPath::parse(path.as_bytes(), &Limits::DEFAULT).expect("an ordinary path");
        Entry { path, kind: Kind::File { executable: true, size: 0o1234 } }
    }

    #[test]
    fn fields_cover_the_block_once() {
        let mut ranges = FIELDS.map(|(_, range)| range);
        ranges.sort_by_key(|range| range.start);
        let end = ranges.iter().fold(0, |end, range| {
            assert_eq!(range.start, end);
            range.end
        });
        assert_eq!(end, BLOCK);
    }

    #[test]
    fn what_is_encoded_is_parsed_again() {
        let block = encode(&file("bin/run"));
        assert_eq!(block.len(), BLOCK);
        assert_eq!(name(&block), b"bin/run");
        assert_eq!(size(&block), Some(0o1234));
        assert_eq!(kind(&block), FILE);
        assert!(executable(&block));
    }

    #[test]
    fn a_name_of_a_hundred_bytes_needs_no_pax_header() {
        assert_eq!(encode(&file(&"n".repeat(100))).len(), BLOCK);
        assert_eq!(encode(&file(&"n".repeat(101))).len(), 3 * BLOCK);
        let directory = |length| Entry { kind: Kind::Directory, ..file(&"n".repeat(length)) };
        assert_eq!(encode(&directory(99)).len(), BLOCK);
        assert_eq!(encode(&directory(100)).len(), 3 * BLOCK);
    }

    #[test]
    fn a_record_counts_its_own_digits() {
        for length in 1..1100 {
            let name = "n".repeat(length);
            let record = path_record(&name);
            assert_eq!(record.split(' ').next(), Some(record.len().to_string().as_str()));
            assert_eq!(path_in_record(record.as_bytes()), Some(name.as_bytes()));
        }
    }

    #[test]
    fn the_largest_size_fills_its_field() {
        let block = encode_block(b"n", 0o644, SIZE_MAX, FILE);
        assert_eq!(size(&block), Some(SIZE_MAX));
    }
}
