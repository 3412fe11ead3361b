//! Reads one tree object, as far as telling two trees apart takes.

use std::collections::BTreeMap;

/// What a name in a tree stands for: two are the same only if both mode and id are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) id: git2::Oid,
    mode: u32,
}

/// The names in a tree.
pub(super) type Nodes = BTreeMap<Vec<u8>, Node>;

const DIRECTORY: u32 = 0o040_000;

impl Node {
    /// The tree `id`.
    pub(super) fn directory(id: git2::Oid) -> Node {
        Node { id, mode: DIRECTORY }
    }

    pub(super) fn is_directory(self) -> bool {
        self.mode == DIRECTORY
    }
}

/// Parses the bytes of a tree object. None where they are none, or where a name stands there twice.
pub(super) fn parse(raw: &[u8]) -> Option<Nodes> {
    let mut nodes = Nodes::new();
    let mut rest = raw;
    while !rest.is_empty() {
        let (mode, after) = split_at_byte(rest, b' ')?;
        let (name, after) = split_at_byte(after, 0)?;
        let (id, after) = after.split_first_chunk::<20>()?;
        let mode = str::from_utf8(mode).ok().filter(|mode| mode.bytes().all(|byte| byte.is_ascii_digit()))?;
        let node = Node { id: git2::Oid::from_bytes(id).ok()?, mode: u32::from_str_radix(mode, 8).ok()? };
        if nodes.insert(name.to_vec(), node).is_some() {
            return None;
        }
        rest = after;
    }
    Some(nodes)
}

fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&found| found == byte)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}
