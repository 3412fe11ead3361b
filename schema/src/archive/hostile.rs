//! Archives made to do harm, and the fault that each is refused with.
//!
//! Each is whole and well-formed but for what its name says, with checksums set right, so that the fault is the one
//! meant.

use super::header::{BLOCK, END, put_checksum};
use super::reader::{ReadFault, Reader};
use super::tree::TreeFault;
use super::writer::tests::pack;
use crate::limits::Limits;
use crate::path::PathFault;

/// A header block that starts as an ordinary one and is then bent.
#[derive(Clone)]
struct Header([u8; BLOCK]);

impl Header {
    /// An empty file of mode 0644, or a directory when `name` ends with `/`.
    fn new(name: &str) -> Header {
        let sound = match name.strip_suffix('/') {
            Some(_) => pack(&[("d/", b"")]),
            None => pack(&[("f", b"")]),
        };
        Header(sound.0[..BLOCK].try_into().expect("a block")).put(0, &[0; 2]).put(0, name.as_bytes())
    }

    /// Overwrites the bytes from `at` on, and sets the checksum right.
    fn put(mut self, at: usize, bytes: &[u8]) -> Header {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        put_checksum(&mut self.0);
        self
    }

    fn mode(self, octal: &str) -> Header {
        self.put(100, octal.as_bytes())
    }

    fn size(self, field: &[u8]) -> Header {
        self.put(124, field)
    }

    fn kind(self, flag: u8) -> Header {
        self.put(156, &[flag])
    }

    fn link(self, target: &str) -> Header {
        self.put(157, target.as_bytes())
    }

    /// The header alone.
    fn bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// The header and `content`, padded with zeros, whatever the size field says.
    fn with(self, content: &[u8]) -> Vec<u8> {
        let mut bytes = [&self.0, content].concat();
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    /// The header, `content`, and the content's length in the size field.
    fn holding(self, content: &[u8]) -> Vec<u8> {
        let size = format!("{:011o}", content.len());
        self.size(size.as_bytes()).with(content)
    }
}

/// A pax header with these records.
fn pax(records: &str) -> Vec<u8> {
    pax_named("PaxHeader", records)
}

fn pax_named(name: &str, records: &str) -> Vec<u8> {
    Header::new(name).kind(b'x').holding(records.as_bytes())
}

/// A `path` record, right length and all.
fn record(path: &str) -> String {
    // All paths here take two or three digits.
    let rest = format!(" path={path}\n");
    let length = if rest.len() + 2 < 100 { rest.len() + 2 } else { rest.len() + 3 };
    format!("{length}{rest}")
}

/// A whole archive of these parts.
fn archive(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), END.to_vec()].concat()
}

/// A path that needs a pax header, and what stands in the entry's own.
fn long() -> (String, String) {
    let path = format!("{}/f", "n".repeat(110));
    let cut = path[..100].to_owned();
    (path, cut)
}

/// A name, an archive, and whether a fault is the one that the archive must be refused with.
type Case = (&'static str, Vec<u8>, fn(&ReadFault) -> bool);

macro_rules! corpus {
    ($($name:literal: $bytes:expr => $wrong:pat,)*) => {
        vec![$(($name, $bytes, (|wrong| matches!(wrong, $wrong)) as fn(&ReadFault) -> bool)),*]
    };
}

macro_rules! bad_path {
    ($wrong:ident) => {
        ReadFault::Path(crate::path::InvalidPath { wrong: PathFault::$wrong, .. })
    };
}

fn names() -> Vec<Case> {
    let file = |name: &str| archive(&[Header::new(name).bytes()]);
    corpus! {
        "absolute path": file("/etc/passwd") => bad_path!(EmptyComponent),
        "absolute directory": file("/") => bad_path!(EmptyComponent),
        "no name": file("") => bad_path!(EmptyComponent),
        "parent directory": file("../f") => bad_path!(Dots),
        "parent directory inside": file("d/../../f") => bad_path!(Dots),
        "leading dot": file("./f") => bad_path!(Dots),
        "double slash": file("d//f") => bad_path!(EmptyComponent),
        "git directory": file(".Git/") => bad_path!(DotGit),
        "newline": file("f\nf") => bad_path!(Character),
        "escape sequence": file("\x1b[2J") => bad_path!(Character),
        "backslash": file("..\\f") => bad_path!(Character),
        "not UTF-8": archive(&[Header::new("f").put(0, b"\xff\xfe").bytes()]) => bad_path!(NotUtf8),
        "file with a slash at its end": archive(&[Header::new("f/").kind(b'0').bytes()]) => bad_path!(EmptyComponent),
        "directory without a slash": archive(&[Header::new("d/").put(0, b"d\0").bytes()])
            => ReadFault::Header { field: "name" },
        "directory with two slashes": file("d//") => bad_path!(EmptyComponent),
        "bytes after the name": archive(&[Header::new("f").put(2, b"hidden").bytes()])
            => ReadFault::Header { field: "name" },
        "prefix": archive(&[Header::new("f").put(345, b"/etc").bytes()]) => ReadFault::Header { field: "prefix" },
    }
}

fn types() -> Vec<Case> {
    let kind = |flag: u8| archive(&[Header::new("f").kind(flag).link("/etc/passwd").bytes()]);
    let global = Header::new("g").kind(b'g').holding(record("f").as_bytes());
    let link_then_file =
        [Header::new("f/").put(0, b"f\0").kind(b'2').link("/etc").bytes(), Header::new("f/passwd").bytes()];
    corpus! {
        "hard link out": kind(b'1') => ReadFault::Type { flag: b'1' },
        "symbolic link": kind(b'2') => ReadFault::Type { flag: b'2' },
        "symbolic link, then a file below it": archive(&link_then_file) => ReadFault::Type { flag: b'2' },
        "character device": kind(b'3') => ReadFault::Type { flag: b'3' },
        "block device": kind(b'4') => ReadFault::Type { flag: b'4' },
        "fifo": kind(b'6') => ReadFault::Type { flag: b'6' },
        "contiguous file": kind(b'7') => ReadFault::Type { flag: b'7' },
        "file of the time before ustar": kind(0) => ReadFault::Type { flag: 0 },
        "GNU long link": archive(&[Header::new("././@LongLink").kind(b'L').holding(b"/etc/passwd\0")])
            => ReadFault::Type { flag: b'L' },
        "GNU sparse file": kind(b'S') => ReadFault::Type { flag: b'S' },
        "global pax header": archive(&[global, Header::new("f").bytes()]) => ReadFault::Type { flag: b'g' },
    }
}

fn fields() -> Vec<Case> {
    let bent = |at: usize, bytes: &[u8]| archive(&[Header::new("f").put(at, bytes).bytes()]);
    let mut wrong_checksum = Header::new("f");
    wrong_checksum.0[150] ^= 1;
    let mut old_checksum = Header::new("f");
    old_checksum.0[154..156].copy_from_slice(b" \0");
    corpus! {
        "setuid": archive(&[Header::new("f").mode("0004755").bytes()]) => ReadFault::Header { field: "mode" },
        "world-writable": archive(&[Header::new("f").mode("0000666").bytes()]) => ReadFault::Header { field: "mode" },
        "private directory": archive(&[Header::new("d/").mode("0000700").bytes()])
            => ReadFault::Header { field: "mode" },
        "mode that ends with a blank": bent(107, b" ") => ReadFault::Header { field: "mode" },
        "owner": bent(108, b"0000001") => ReadFault::Header { field: "uid" },
        "group": bent(116, b"0000001") => ReadFault::Header { field: "gid" },
        "time": bent(136, b"00000000001") => ReadFault::Header { field: "mtime" },
        "link name of a file": bent(157, b"f") => ReadFault::Header { field: "linkname" },
        "GNU magic": bent(257, b"ustar  \0") => ReadFault::Header { field: "magic" },
        "user name": bent(265, b"root") => ReadFault::Header { field: "uname" },
        "group name": bent(297, b"root") => ReadFault::Header { field: "gname" },
        "device number": bent(329, b"0000001") => ReadFault::Header { field: "devmajor" },
        "bytes in the unused part": bent(500, b"tar\0") => ReadFault::Header { field: "unused" },
        "base-256 size": archive(&[Header::new("f").size(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).with(b"x")])
            => ReadFault::Header { field: "size" },
        "size with blanks": archive(&[Header::new("f").size(b"          1\0").with(b"x")])
            => ReadFault::Header { field: "size" },
        "size of twelve digits": archive(&[Header::new("f").size(b"000000000001").with(b"x")])
            => ReadFault::Header { field: "size" },
        "negative size": archive(&[Header::new("f").size(b"-0000000001\0").bytes()])
            => ReadFault::Header { field: "size" },
        "size of a directory": archive(&[Header::new("d/").holding(b"x")]) => ReadFault::Header { field: "size" },
        "wrong checksum": archive(&[wrong_checksum.bytes()]) => ReadFault::Header { field: "checksum" },
        "checksum spelt otherwise": archive(&[old_checksum.bytes()]) => ReadFault::Header { field: "checksum" },
    }
}

fn extensions() -> Vec<Case> {
    let (path, cut) = long();
    let parent = || pax(&record(&format!("{}/", "n".repeat(110))));
    let directory = || Header::new(&"n".repeat(100)).kind(b'5').mode("0000755").bytes();
    // Everything up to the file whose pax header is bent.
    let with = |pax: Vec<u8>, header: Header| archive(&[parent(), directory(), pax, header.bytes()]);
    let miscounted = format!("121{}", &record(&path)[3..]);
    corpus! {
        "pax header that no name needs": archive(&[pax(&record("f")), Header::new("f").bytes()]) => ReadFault::Pax,
        "pax header that renames": archive(&[pax(&record("../f")), Header::new("f").bytes()]) => bad_path!(Dots),
        "pax size after the path": with(pax(&format!("{}12 size=512\n", record(&path))), Header::new(&cut))
            => ReadFault::Pax,
        "pax size before the path": with(pax(&format!("12 size=512\n{}", record(&path))), Header::new(&cut))
            => ReadFault::Pax,
        "pax size alone": archive(&[pax("12 size=512\n"), Header::new("f").bytes()]) => ReadFault::Pax,
        "pax path twice": with(pax(&record(&path).repeat(2)), Header::new(&cut)) => ReadFault::Pax,
        "pax record that miscounts": with(pax(&miscounted), Header::new(&cut)) => ReadFault::Pax,
        "pax record without a count": with(pax(&format!("path={path}\n")), Header::new(&cut)) => ReadFault::Pax,
        "pax record without a newline": with(pax(record(&path).trim_end()), Header::new(&cut)) => ReadFault::Pax,
        "pax record cut by a NUL": with(pax(&record(&format!("{path}\0"))), Header::new(&cut)) => bad_path!(Character),
        "empty pax header": archive(&[pax(""), Header::new("f").bytes()]) => ReadFault::Pax,
        "vast pax header": archive(&[Header::new("PaxHeader").kind(b'x').size(b"07777777777\0").bytes()])
            => ReadFault::Pax,
        "pax header of another name": with(pax_named("././@PaxHeader", &record(&path)), Header::new(&cut))
            => ReadFault::Header { field: "name" },
        "two pax headers": with([pax(&record(&path)), pax(&record(&path))].concat(), Header::new(&cut))
            => ReadFault::Type { flag: b'x' },
        "pax header before the end": archive(&[pax(&record("f"))]) => ReadFault::Type { flag: 0 },
        "padding after a pax record": with(dirty(pax(&record(&path))), Header::new(&cut)) => ReadFault::Pax,
        "header that belies its pax path": with(pax(&record(&path)), Header::new("f"))
            => ReadFault::Header { field: "name" },
    }
}

/// Sets the last byte, which was padding.
fn dirty(mut blocks: Vec<u8>) -> Vec<u8> {
    *blocks.last_mut().expect("a block") = 1;
    blocks
}

fn trees() -> Vec<Case> {
    let of = |names: &[&str]| archive(&names.iter().map(|name| Header::new(name).bytes()).collect::<Vec<_>>());
    corpus! {
        "duplicate file": of(&["f", "f"]) => ReadFault::Tree(TreeFault::Unsorted { .. }),
        "duplicate directory": of(&["d/", "d/"]) => ReadFault::Tree(TreeFault::Unsorted { .. }),
        "file over a directory": of(&["d/", "d"]) => ReadFault::Tree(TreeFault::Unsorted { .. }),
        "directory over a file": of(&["d", "d/"]) => ReadFault::Tree(TreeFault::Unsorted { .. }),
        "unsorted": of(&["g", "f"]) => ReadFault::Tree(TreeFault::Unsorted { .. }),
        "child before its parent": of(&["d/f", "d/"]) => ReadFault::Tree(TreeFault::MissingParent),
        "missing parent": of(&["d/", "d/e/f"]) => ReadFault::Tree(TreeFault::MissingParent),
        "file as parent": of(&["d", "d/f"]) => ReadFault::Tree(TreeFault::FileAsParent),
        "case-fold twins": of(&["F", "f"]) => ReadFault::Tree(TreeFault::CaseTwin),
        "case-fold twins beyond ASCII": of(&["Ä", "ä"]) => ReadFault::Tree(TreeFault::CaseTwin),
        "case-fold twin directories": of(&["D/", "D/f", "d/", "d/f"]) => ReadFault::Tree(TreeFault::CaseTwin),
        "too many entries": of(&["1", "2", "3", "4", "5"]) => ReadFault::Tree(TreeFault::TooManyEntries { max: 4 }),
    }
}

fn ends() -> Vec<Case> {
    let file = || Header::new("f").holding(b"content");
    corpus! {
        "nothing at all": Vec::new() => ReadFault::Truncated,
        "no end blocks": file() => ReadFault::Truncated,
        "one end block": [file(), vec![0; BLOCK]].concat() => ReadFault::Truncated,
        "one end block, then an entry": [vec![0; BLOCK], archive(&[file()])].concat() => ReadFault::End,
        "three end blocks": [archive(&[file()]), vec![0; BLOCK]].concat() => ReadFault::End,
        "a byte after the end": [archive(&[file()]), vec![0]].concat() => ReadFault::End,
        "an archive after the end": archive(&[file()]).repeat(2) => ReadFault::End,
        "padding that is not zeros": archive(&[dirty(file())]) => ReadFault::Padding,
        "content cut short": file()[..BLOCK + 3].to_vec() => ReadFault::Truncated,
        "size that swallows the next header": archive(&[Header::new("f").size(b"00000001000\0").with(b""), file()])
            => ReadFault::Type { flag: 0 },
        "size over the limit": archive(&[Header::new("f").size(b"00000200000\0").bytes()])
            => ReadFault::TooLarge { max_bytes: LIMIT },
        "largest size": archive(&[Header::new("f").size(b"77777777777\0").bytes()])
            => ReadFault::TooLarge { max_bytes: LIMIT },
        "content beyond the limit": archive(&[Header::new("f").holding(&vec![0; LIMIT as usize - 1535])])
            => ReadFault::TooLarge { max_bytes: LIMIT },
    }
}

/// Bytes that the archives here may have.
const LIMIT: u64 = 65_536;

#[test]
fn every_hostile_archive_is_refused_for_its_own_fault() {
    let limits = Limits { entries_max: 4, bundle_max_bytes: LIMIT, ..Limits::DEFAULT };
    let corpus = [names(), types(), fields(), extensions(), trees(), ends()].concat();
    for (name, bytes, is_meant) in corpus {
        match Reader::new(bytes.as_slice(), limits).finish() {
            Ok(summary) => panic!("{name}: accepted as {summary:?}"),
            Err(refused) => assert!(is_meant(&refused.wrong), "{name}: {refused:?}"),
        }
    }
}

#[test]
fn the_builders_of_the_corpus_are_sound() {
    let (path, cut) = long();
    let directory = "n".repeat(110);
    let parts = [
        pax(&record(&format!("{directory}/"))),
        Header::new(&cut).kind(b'5').mode("0000755").bytes(),
        pax(&record(&path)),
        Header::new(&cut).holding(b"content"),
        Header::new("o").bytes(),
    ];
    assert_eq!(archive(&parts), pack(&[(&format!("{directory}/"), b""), (&path, b"content"), ("o", b"")]).0);
}
