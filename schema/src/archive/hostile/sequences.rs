//! Harm in what follows what: pax headers, the tree, and where the archive ends.

use super::craft::{Header, archive, dirty, long, pax, pax_named, record};
use super::{Hostile, LIMITS};
use crate::archive::header::BLOCK;
use crate::archive::reader::ReadFault;
use crate::archive::tree::TreeFault;
use crate::path::PathFault;

pub(super) fn extensions() -> Vec<Hostile> {
    let (path, cut) = long();
    let parent = || pax(&record(&format!("{}/", "n".repeat(110))));
    let directory = || Header::new(&"n".repeat(100)).kind(b'5').mode("0000755").bytes();
    // Everything up to the file whose pax header is bent.
    let with = |pax: Vec<u8>, header: Header| archive(&[parent(), directory(), pax, header.bytes()]);
    let cut_short = || Header::new(&"n".repeat(100));
    let too_long = vec!["n".repeat(200); 6].join("/")[..1030].to_owned();
    let miscounted = format!("121{}", &record(&path)[3..]);
    corpus! {
        "pax header that no name needs": archive(&[pax(&record("f")), Header::new("f").bytes()]) => ReadFault::Pax,
        "pax header that renames": archive(&[pax(&record("../f")), Header::new("f").bytes()]) => bad_path!(Dots),
        "pax size after the path": with(pax(&format!("{}12 size=512\n", record(&path))), Header::new(&cut))
            => ReadFault::Pax,
        "pax size before the path": with(pax(&format!("12 size=512\n{}", record(&path))), Header::new(&cut))
            => ReadFault::Pax,
        "pax size alone": archive(&[pax("12 size=512\n"), Header::new("f").bytes()]) => ReadFault::Pax,
        "pax link path": archive(&[pax("17 linkpath=/tmp\n"), Header::new("f").bytes()]) => ReadFault::Pax,
        "pax name of a sparse file": archive(&[pax("22 GNU.sparse.name=f\n"), Header::new("f").bytes()])
            => ReadFault::Pax,
        "pax path that is too long": archive(&[pax(&record(&too_long)), cut_short().bytes()])
            => bad_path!(TooLong),
        "pax component that is too long": archive(&[pax(&record(&"n".repeat(256))), cut_short().bytes()])
            => bad_path!(ComponentTooLong),
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

pub(super) fn trees() -> Vec<Hostile> {
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

pub(super) fn ends() -> Vec<Hostile> {
    const LIMIT: usize = LIMITS.bundle_max_bytes as usize;
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
            => ReadFault::TooLarge { .. },
        "largest size": archive(&[Header::new("f").size(b"77777777777\0").bytes()])
            => ReadFault::TooLarge { .. },
        "content beyond the limit": archive(&[Header::new("f").holding(&vec![0; LIMIT - 1535])])
            => ReadFault::TooLarge { .. },
    }
}
