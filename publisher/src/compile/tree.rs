//! Reads one git tree object, entry by entry.
//!
//! In: the raw bytes. Out: names and what they name. No judgement on names yet, as that takes the whole path.

use schema::TreeId;

use super::objects::BlobId;

/// One entry of a tree: a name as the bytes that stand there, and what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) node: Node,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory(TreeId),
    File { blob: BlobId, executable: bool },
    Symlink,
    Submodule,
    Other { mode: u32 },
}

/// Says that the bytes are not a tree object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotATree;

pub(super) fn parse(raw: &[u8]) -> Result<Vec<Entry>, NotATree> {
    let mut entries = Vec::new();
    let mut rest = raw;
    while !rest.is_empty() {
        let (mode, after) = split_at_byte(rest, b' ').ok_or(NotATree)?;
        let (name, after) = split_at_byte(after, 0).ok_or(NotATree)?;
        let (id, after) = after.split_first_chunk::<20>().ok_or(NotATree)?;
        let mode =
            str::from_utf8(mode).ok().filter(|mode| mode.bytes().all(|byte| byte.is_ascii_digit())).ok_or(NotATree)?;
        let mode = u32::from_str_radix(mode, 8).map_err(|_| NotATree)?;
        let node = match mode {
            0o040_000 => Node::Directory(hex::encode(id).parse().expect("twenty bytes are forty hex digits")),
            // Old versions of git wrote 664 as well.
            0o100_644 | 0o100_664 => Node::File { blob: BlobId(*id), executable: false },
            0o100_755 => Node::File { blob: BlobId(*id), executable: true },
            0o120_000 => Node::Symlink,
            0o160_000 => Node::Submodule,
            mode => Node::Other { mode },
        };
        entries.push(Entry { name: name.to_vec(), node });
        rest = after;
    }
    Ok(entries)
}

fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&found| found == byte)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}
