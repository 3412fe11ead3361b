use std::fs;
use std::io::{Seek as _, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use schema::archive::{Summary, Writer};
use schema::encoding::compress;
use schema::manifest::{Encoding, Manifest, Whole};
use schema::{Digest, EntryPath, Limits};
use tempfile::TempDir;

use super::*;

/// Archives `files`; a name that ends with `*` is a program's. Directories are added.
fn pack(files: &[(&str, &[u8])]) -> (Vec<u8>, Summary) {
    let path = |text: &str| EntryPath::parse(text.as_bytes(), &Limits::DEFAULT).expect("an ordinary path");
    let mut entries = Vec::new();
    for (name, content) in files {
        let file = path(name.trim_end_matches('*'));
        entries.extend(file.ancestors().map(|directory| (directory, None)));
        entries.push((file, Some((name.ends_with('*'), *content))));
    }
    entries.sort();
    entries.dedup();
    let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
    for (path, file) in entries {
        match file {
            None => writer.directory(path),
            Some((executable, mut content)) => writer.file(path, executable, content.len() as u64, &mut content),
        }
        .expect("entries in order");
    }
    writer.finish().expect("a whole archive")
}

/// A manifest that vouches for `archive`, and for `frame` as the way it travels.
fn manifest(summary: Summary, frame: &[u8]) -> Manifest {
    let whole = Whole { size: frame.len() as u64, window_log: 23, sha256: Digest::of(frame) };
    Manifest {
        app: "edge-proxy".parse().expect("a name"),
        digest: summary.digest,
        size: summary.size,
        entries: summary.entries,
        release_seq: 1,
        commit: "5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e".parse().expect("an id"),
        tree: "77aa77aa77aa77aa77aa77aa77aa77aa77aa77aa".parse().expect("an id"),
        compiler: 1,
        encodings: vec![Encoding::Whole(whole)],
    }
}

fn on_disk(bytes: &[u8]) -> fs::File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("room on the disk");
    file.rewind().expect("a plain file");
    file
}

/// A folder for trees, emptied with the rights that it takes.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn unpack(&self, name: &str, files: &[(&str, &[u8])], base: Option<&str>) -> Unpacked {
        let (archive, summary) = pack(files);
        let frame = compress(&archive).expect("memory");
        let base = base.map(|base| self.path(base));
        unpack(on_disk(&frame), &manifest(summary, &frame), base.as_deref(), self.path(name)).expect("a sound bundle")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.0.path()).expect("our own folder") {
            remove(&entry.expect("our own folder").path()).expect("our own tree");
        }
    }
}

const FILES: &[(&str, &[u8])] =
    &[("bin/reload*", b"#!/bin/sh\n"), ("conf/a/limits.yaml", b"rps: 10\n"), ("empty", b"")];

#[test]
fn a_tree_is_read_only_and_archives_to_what_it_was_unpacked_from() {
    let place = Place::new();
    let unpacked = place.unpack("one", FILES, None);
    unpacked.sync().expect("a disk that works");
    assert_eq!(rearchive(unpacked.root()).expect("a sound tree"), pack(FILES).1);
    let mode = |path: &str| fs::metadata(place.path("one").join(path)).expect("unpacked").permissions().mode() & 0o7777;
    assert_eq!((mode("bin/reload"), mode("conf/a/limits.yaml"), mode("conf/a")), (0o555, 0o444, 0o555));
    remove(unpacked.root()).expect("ours to remove");
    assert!(!place.path("one").exists());
    remove(unpacked.root()).expect("nothing there");
}

#[test]
fn what_did_not_change_is_the_same_file_under_a_second_name() {
    let place = Place::new();
    let large = vec![b'x'; 200_000];
    let mut late = large.clone();
    late[150_000] = b'y';
    place.unpack("one", &[("late", &large), ("mode", b"m"), ("same", &large), ("size", b"1")], None);
    let files: &[(&str, &[u8])] = &[("late", &late), ("mode*", b"m"), ("new", b"n"), ("same", &large), ("size", b"12")];
    let two = place.unpack("two", files, Some("one"));
    assert_eq!(rearchive(two.root()).expect("a sound tree"), pack(files).1);
    let shared = |name: &str| fs::metadata(place.path("two").join(name)).expect("unpacked").nlink() > 1;
    assert!(shared("same"));
    assert!(["late", "mode", "new", "size"].iter().all(|name| !shared(name)));
    remove(&place.path("one")).expect("ours to remove");
    assert_eq!(rearchive(two.root()).expect("a sound tree"), pack(files).1);
}

#[test]
fn f08_a_base_that_rotted_is_not_taken_over() {
    let place = Place::new();
    place.unpack("one", FILES, None);
    let rotten = place.path("one").join("conf/a/limits.yaml");
    fs::set_permissions(&rotten, fs::Permissions::from_mode(0o644)).expect("our own file");
    fs::write(&rotten, b"rps: 99\n").expect("our own file");
    fs::set_permissions(&rotten, fs::Permissions::from_mode(0o444)).expect("our own file");
    assert_ne!(rearchive(&place.path("one")).expect("still a tree"), pack(FILES).1);
    let two = place.unpack("two", FILES, Some("one"));
    assert_eq!(rearchive(two.root()).expect("a sound tree"), pack(FILES).1);
}

#[test]
fn a_link_in_the_version_before_is_not_followed() {
    let place = Place::new();
    let outside = tempfile::tempdir().expect("a temporary folder");
    fs::write(outside.path().join("secret"), b"rps: 10\n").expect("a small file");
    fs::set_permissions(outside.path().join("secret"), fs::Permissions::from_mode(0o444)).expect("our own file");
    fs::create_dir(place.path("one")).expect("a free name");
    symlink(outside.path().join("secret"), place.path("one").join("limits.yaml")).expect("a free name");
    let two = place.unpack("two", &[("limits.yaml", b"rps: 10\n")], Some("one"));
    assert!(fs::symlink_metadata(two.root().join("limits.yaml")).expect("unpacked").is_file());
    assert!(matches!(rearchive(&place.path("one")), Err(RearchiveError::Foreign { .. })));
    remove(&place.path("one")).expect("ours to remove");
    assert!(outside.path().join("secret").exists());
}

#[test]
fn a43_nothing_beyond_what_was_signed_is_written() {
    let place = Place::new();
    let refuse = |name: &str, change: &dyn Fn(&mut Manifest), frame: &[u8]| {
        let mut manifest = manifest(pack(FILES).1, frame);
        change(&mut manifest);
        unpack(on_disk(frame), &manifest, None, place.path(name)).expect_err("not as signed")
    };
    let frame = compress(&pack(FILES).0).expect("memory");
    let bomb = compress(&vec![0; 64 << 20]).expect("memory");
    assert!(matches!(refuse("bomb", &|_| (), &bomb), UnpackError::Frame(_)));
    let fewer = |manifest: &mut Manifest| manifest.entries -= 1;
    assert!(matches!(refuse("fewer", &fewer, &frame), UnpackError::Archive(_)));
    let more = |manifest: &mut Manifest| manifest.entries += 1;
    assert!(matches!(refuse("more", &more, &frame), UnpackError::Measures { .. }));
    let other = |manifest: &mut Manifest| manifest.digest = Digest::of(b"another");
    assert!(matches!(refuse("other", &other, &frame), UnpackError::Other { .. }));
    let narrow = |manifest: &mut Manifest| {
        let whole = *manifest.whole();
        manifest.encodings = vec![Encoding::Whole(Whole { window_log: 10, ..whole })];
    };
    assert!(matches!(refuse("narrow", &narrow, &frame), UnpackError::Frame(_)));
}

#[test]
fn a42_an_archive_that_would_leave_its_folder_writes_nothing_outside() {
    let place = Place::new();
    for name in ["../outside", "/tmp/driftless-a42", "a/../../outside"] {
        let (mut archive, summary) = pack(&[("x".repeat(name.len()).as_str(), b"owned")]);
        archive[..name.len()].copy_from_slice(name.as_bytes());
        let frame = compress(&archive).expect("memory");
        let error = unpack(on_disk(&frame), &manifest(summary, &frame), None, place.path("evil")).expect_err(name);
        assert!(matches!(error, UnpackError::Archive(_)), "{error}");
        remove(&place.path("evil")).expect("ours to remove");
        assert_eq!(fs::read_dir(place.0.path()).expect("our own folder").count(), 0);
    }
}

#[test]
fn a_base_takes_the_memory_of_its_archive_or_is_not_read() {
    let place = Place::new();
    // A name that takes blocks of its own, and content that is filled up.
    let long = format!("conf/{}", "x".repeat(150));
    let files: &[(&str, &[u8])] = &[(&long, &[b'l'; 700]), ("empty", b""), ("reload*", b"#!/bin/sh\n")];
    place.unpack("one", files, None);
    let archive = pack(files).0;
    let read = |max_bytes| Base::read(place.path("one"), max_bytes, || ControlFlow::Continue(()));
    let whole = archive.len() as u64;
    assert_eq!(read(whole).expect("as large as it may be").archive(), archive);
    let refused = read(whole - 1).expect_err("a byte too large");
    assert!(matches!(refused, RearchiveError::TooLarge { bytes, .. } if bytes == whole), "{refused}");
    // However much a damaged one claims.
    let sparse = place.path("one").join("empty");
    fs::set_permissions(&sparse, fs::Permissions::from_mode(0o644)).expect("our own file");
    fs::OpenOptions::new().write(true).open(&sparse).expect("our own file").set_len(1 << 42).expect("a sparse file");
    assert!(matches!(read(whole), Err(RearchiveError::TooLarge { .. })));
}
