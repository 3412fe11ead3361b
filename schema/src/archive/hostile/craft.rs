//! The blocks that hostile archives are made of: sound ones, bent in one place.

use crate::archive::entry::{Entry, Kind};
use crate::archive::header::{self, BLOCK, END, put_checksum};
use crate::limits::Limits;
use crate::path::EntryPath;

/// A header block that starts as an ordinary one and is then bent.
#[derive(Clone)]
pub(super) struct Header(pub(super) [u8; BLOCK]);

impl Header {
    /// An empty file of mode 0644, or a directory when `name` ends with `/`.
    pub(super) fn new(name: &str) -> Header {
        let (letter, kind) = match name.strip_suffix('/') {
            Some(_) => ("d", Kind::Directory),
            None => ("f", Kind::File { executable: false, size: 0 }),
        };
        let path = EntryPath::parse(letter.as_bytes(), &Limits::DEFAULT).expect("one letter");
        let sound = header::encode(&Entry { path, kind });
        Header(sound.try_into().expect("one block")).put(0, &[0; 2]).put(0, name.as_bytes())
    }

    /// Overwrites the bytes from `at` on, and sets the checksum right.
    pub(super) fn put(mut self, at: usize, bytes: &[u8]) -> Header {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        put_checksum(&mut self.0);
        self
    }

    pub(super) fn mode(self, octal: &str) -> Header {
        self.put(100, octal.as_bytes())
    }

    pub(super) fn size(self, field: &[u8]) -> Header {
        self.put(124, field)
    }

    pub(super) fn kind(self, flag: u8) -> Header {
        self.put(156, &[flag])
    }

    pub(super) fn link(self, target: &str) -> Header {
        self.put(157, target.as_bytes())
    }

    /// The header alone.
    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// The header and `content`, padded with zeros, whatever the size field says.
    pub(super) fn with(self, content: &[u8]) -> Vec<u8> {
        let mut bytes = [&self.0, content].concat();
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    /// The header, `content`, and the content's length in the size field.
    pub(super) fn holding(self, content: &[u8]) -> Vec<u8> {
        let size = format!("{:011o}", content.len());
        self.size(size.as_bytes()).with(content)
    }
}

/// A pax header with these records.
pub(super) fn pax(records: &str) -> Vec<u8> {
    pax_named("PaxHeader", records)
}

pub(super) fn pax_named(name: &str, records: &str) -> Vec<u8> {
    Header::new(name).kind(b'x').holding(records.as_bytes())
}

/// A `path` record, right length and all.
pub(super) fn record(path: &str) -> String {
    let rest = format!(" path={path}\n");
    let digits = (2..).find(|digits| (rest.len() + digits).to_string().len() == *digits).expect("a path has an end");
    let length = rest.len() + digits;
    format!("{length}{rest}")
}

/// A whole archive of these parts.
pub(super) fn archive(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), END.to_vec()].concat()
}

/// A path that needs a pax header, and what stands in the entry's own.
pub(super) fn long() -> (String, String) {
    let path = format!("{}/f", "n".repeat(110));
    let cut = path[..100].to_owned();
    (path, cut)
}

/// Sets the last byte, which was padding.
pub(super) fn dirty(mut blocks: Vec<u8>) -> Vec<u8> {
    *blocks.last_mut().expect("a block") = 1;
    blocks
}
