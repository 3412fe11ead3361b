//! Harm in one header: its name, its type, or one of its fields.

use super::Hostile;
use super::craft::{Header, archive, record};
use crate::archive::reader::ReadFault;
use crate::path::PathFault;

pub(super) fn names() -> Vec<Hostile> {
    let file = |name: &str| archive(&[Header::new(name).bytes()]);
    corpus! {
        "absolute path": file("/tmp/driftless-hostile") => bad_path!(EmptyComponent),
        "absolute directory": file("/") => bad_path!(EmptyComponent),
        "no name": file("") => bad_path!(EmptyComponent),
        "parent directory": file("../f") => bad_path!(Dots),
        "parent directory inside": file("d/../../f") => bad_path!(Dots),
        "leading dot": file("./f") => bad_path!(Dots),
        "double slash": file("d//f") => bad_path!(EmptyComponent),
        "git directory": file(".Git/") => bad_path!(DotGit),
        "git directory by its short name": file("GIT~1/") => bad_path!(DotGit),
        "git directory as a Mac reads it": file(".g\u{200c}it/") => bad_path!(DotGit),
        "newline": file("f\nf") => bad_path!(Character),
        "carriage return": file("f\r") => bad_path!(Character),
        "escape sequence": file("\x1b[2J") => bad_path!(Character),
        "escape sequence in one character": file("\u{9b}2J") => bad_path!(Character),
        "delete": file("f\x7f") => bad_path!(Character),
        "backslash": file("..\\f") => bad_path!(Character),
        "not UTF-8": archive(&[Header::new("f").put(0, b"\xff\xfe").bytes()]) => bad_path!(NotUtf8),
        "file with a slash at its end": archive(&[Header::new("f/").kind(b'0').bytes()]) => bad_path!(EmptyComponent),
        "directory without a slash": archive(&[Header::new("d/").put(0, b"d\0").bytes()])
            => ReadFault::Header { field: "name" },
        "directory with two slashes": file("d//") => bad_path!(EmptyComponent),
        "bytes after the name": archive(&[Header::new("f").put(2, b"hidden").bytes()])
            => ReadFault::Header { field: "name" },
        "too deep": file(&["d"; 33].join("/")) => bad_path!(TooDeep),
        "prefix": archive(&[Header::new("f").put(345, b"/etc").bytes()]) => ReadFault::Header { field: "prefix" },
    }
}

pub(super) fn types() -> Vec<Hostile> {
    let kind = |flag: u8| archive(&[Header::new("f").kind(flag).link("/tmp/driftless-hostile").bytes()]);
    let global = Header::new("g").kind(b'g').holding(record("f").as_bytes());
    let link_then_file =
        [Header::new("f/").put(0, b"f\0").kind(b'2').link("/tmp").bytes(), Header::new("f/driftless-hostile").bytes()];
    let symlink = || Header::new("d/").put(0, b"d\0").kind(b'2').link("/tmp").bytes();
    let hard_link = || Header::new("g").kind(b'1').link("f").bytes();
    corpus! {
        "directory over a symbolic link": archive(&[symlink(), Header::new("d/").bytes()])
            => ReadFault::Type { flag: b'2' },
        "symbolic link over a directory": archive(&[Header::new("d/").bytes(), symlink()])
            => ReadFault::Type { flag: b'2' },
        "hard link to an entry before": archive(&[Header::new("f").bytes(), hard_link()])
            => ReadFault::Type { flag: b'1' },
        "hard link out": kind(b'1') => ReadFault::Type { flag: b'1' },
        "symbolic link": kind(b'2') => ReadFault::Type { flag: b'2' },
        "symbolic link, then a file below it": archive(&link_then_file) => ReadFault::Type { flag: b'2' },
        "character device": kind(b'3') => ReadFault::Type { flag: b'3' },
        "block device": kind(b'4') => ReadFault::Type { flag: b'4' },
        "fifo": kind(b'6') => ReadFault::Type { flag: b'6' },
        "contiguous file": kind(b'7') => ReadFault::Type { flag: b'7' },
        "file of the time before ustar": kind(0) => ReadFault::Type { flag: 0 },
        "GNU long link": archive(&[Header::new("././@LongLink").kind(b'L').holding(b"/tmp/driftless-hostile\0")])
            => ReadFault::Type { flag: b'L' },
        "GNU long link target": archive(&[Header::new("././@LongLink").kind(b'K').holding(b"/tmp\0")])
            => ReadFault::Type { flag: b'K' },
        "GNU volume": kind(b'V') => ReadFault::Type { flag: b'V' },
        "GNU part of a file": kind(b'M') => ReadFault::Type { flag: b'M' },
        "GNU sparse file": kind(b'S') => ReadFault::Type { flag: b'S' },
        "global pax header": archive(&[global, Header::new("f").bytes()]) => ReadFault::Type { flag: b'g' },
    }
}

pub(super) fn fields() -> Vec<Hostile> {
    let bent = |at: usize, bytes: &[u8]| archive(&[Header::new("f").put(at, bytes).bytes()]);
    let mut wrong_checksum = Header::new("f");
    wrong_checksum.0[150] ^= 1;
    let mut old_checksum = Header::new("f");
    old_checksum.0[154..156].copy_from_slice(b" \0");
    corpus! {
        "setuid": archive(&[Header::new("f").mode("0004755").bytes()]) => ReadFault::Header { field: "mode" },
        "setgid directory": archive(&[Header::new("d/").mode("0002755").bytes()])
            => ReadFault::Header { field: "mode" },
        "sticky directory": archive(&[Header::new("d/").mode("0001755").bytes()])
            => ReadFault::Header { field: "mode" },
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
