use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::writer::tests::{pack, sample};
use super::super::{Writer, directories_of};
use super::*;
use crate::encoding;

/// A file's executable bit and content.
type File = (bool, Vec<u8>);

fn arbitrary_files() -> impl Strategy<Value = Vec<(EntryPath, File)>> {
    let component = prop_oneof![4 => "[a-c]{1,2}", 1 => "[a-c]-[é-ü]", 1 => "d{90,110}"];
    let path = vec(component, 1..5)
        .prop_map(|parts| EntryPath::parse(parts.join("/").as_bytes(), &Limits::DEFAULT).expect("plain parts"));
    let file = (any::<bool>(), vec(any::<u8>(), 0..1200));
    vec((path, file), 0..12).prop_map(without_conflicts)
}

/// Drops files that are also a directory, or there already.
fn without_conflicts(files: Vec<(EntryPath, File)>) -> Vec<(EntryPath, File)> {
    let directories = directories_of(files.iter().map(|(path, _)| path));
    let unique: BTreeMap<EntryPath, File> = files.into_iter().collect();
    unique.into_iter().filter(|(path, _)| !directories.contains(path)).collect()
}

/// Archives `files`, in whatever order they come, with the directories above them.
fn archive(files: &[(EntryPath, File)]) -> (Vec<u8>, Summary) {
    let directories = directories_of(files.iter().map(|(path, _)| path));
    let mut tree: BTreeMap<&EntryPath, Option<&File>> = directories.iter().map(|path| (path, None)).collect();
    tree.extend(files.iter().map(|(path, file)| (path, Some(file))));
    let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
    for (path, file) in tree {
        match file {
            None => writer.directory(path.clone()),
            Some((executable, content)) => {
                writer.file(path.clone(), *executable, content.len() as u64, &mut content.as_slice())
            }
        }
        .expect("a sorted tree");
    }
    writer.finish().expect("a whole archive")
}

fn summarize(bytes: &[u8]) -> Result<Summary, ReadError> {
    Reader::new(bytes, Limits::DEFAULT).finish()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(files in arbitrary_files()) {
        let (bytes, written) = archive(&files);
        let mut reader = Reader::new(bytes.as_slice(), Limits::DEFAULT);
        let mut seen = Vec::new();
        while let Some(entry) = reader.next_entry().expect("an archive of ours") {
            let mut content = Vec::new();
            reader.content().read_to_end(&mut content).expect("content of ours");
            if let Kind::File { executable, size } = entry.kind {
                prop_assert_eq!(size, content.len() as u64);
                seen.push((entry.path, (executable, content)));
            }
        }
        prop_assert_eq!(seen, files);
        prop_assert_eq!(reader.finish().expect("a whole archive"), written);
        prop_assert_eq!(summarize(&bytes).expect("a whole archive, unread"), written);
    }

    #[test]
    fn one_tree_has_one_digest_in_whatever_order_it_is_collected(
        (files, shuffled) in arbitrary_files()
            .prop_flat_map(|files| (Just(files.clone()), Just(files).prop_shuffle())),
    ) {
        prop_assert_eq!(archive(&files).1, archive(&shuffled).1);
    }

    #[test]
    fn one_mutated_byte_is_refused_or_gives_another_digest(
        files in arbitrary_files(), at in any::<prop::sample::Index>(), flip in 1..=u8::MAX
    ) {
        let (mut bytes, written) = archive(&files);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(read) = summarize(&bytes) {
            prop_assert_ne!(read.digest, written.digest);
        }
    }

    #[test]
    fn arbitrary_blocks_never_panic(bytes in vec(any::<u8>(), 0..4096)) {
        prop_assert!(summarize(&bytes).is_err());
    }
}

#[test]
fn every_mutated_header_byte_is_refused() {
    let (bytes, _) = pack(&[("a", b"")]);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut mutated = bytes.clone();
            mutated[at] ^= 1 << bit;
            match summarize(&mutated) {
                Err(refused) => assert!(refused.is_malformed()),
                Ok(_) => panic!("bit {bit} of byte {at} makes no difference"),
            }
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let (bytes, _) = sample();
    for length in 0..bytes.len() {
        let refused = summarize(&bytes[..length]).expect_err("cut short");
        assert!(matches!(refused.wrong, ReadFault::Truncated), "{length}: {refused:?}");
        assert_eq!(refused.at, length as u64);
    }
}

#[test]
fn content_that_is_cut_short_is_told_from_an_input_that_fails() {
    let (bytes, _) = pack(&[("a", b"content")]);
    let mut reader = Reader::new(&bytes[..514], Limits::DEFAULT);
    reader.next_entry().expect("a whole header");
    let cut = io::copy(&mut reader.content(), &mut io::sink()).expect_err("cut short");
    assert_eq!(cut.kind(), io::ErrorKind::InvalidData);
    assert_eq!(cut.to_string(), "reading the archive stopped at byte 514, at `a`");
    let later = reader.finish().expect_err("refused before");
    assert!(matches!(later.wrong, ReadFault::Refused), "{later:?}");

    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let failed = Reader::new(bytes[..514].chain(Broken), Limits::DEFAULT).finish().expect_err("broken");
    assert!(matches!(failed.wrong, ReadFault::Input(_)) && !failed.is_malformed(), "{failed:?}");
}

#[test]
fn a_damaged_frame_underneath_is_malformed() {
    let (bytes, written) = sample();
    let mut frame = encoding::compress(&bytes).expect("memory");
    let read = |frame: &[u8]| {
        let decoder = encoding::Decoder::new(frame, written.size, Limits::DEFAULT.window_log_max);
        Reader::new(decoder.expect("a sound header"), Limits::DEFAULT).finish()
    };
    assert_eq!(read(&frame).expect("a bundle of ours"), written);
    *frame.last_mut().expect("a frame") ^= 1;
    let refused = read(&frame).expect_err("damaged");
    assert!(matches!(refused.wrong, ReadFault::Input(_)) && refused.is_malformed(), "{refused:?}");
}

#[test]
fn an_error_is_final() {
    let (bytes, _) = pack(&[("a", b"")]);
    let twice = [&bytes[..512], &bytes].concat();
    let mut reader = Reader::new(twice.as_slice(), Limits::DEFAULT);
    reader.next_entry().expect("the first of two");
    let refused = reader.next_entry().expect_err("a duplicate");
    assert!(matches!(refused.wrong, ReadFault::Tree(_)), "{refused:?}");
    assert_eq!(refused.to_string(), "reading the archive stopped at byte 1024, at `a`");
    assert!(reader.next_entry().is_err());
    assert!(reader.finish().is_err());
}

#[test]
fn content_may_be_read_in_parts_or_not_at_all() {
    let (bytes, written) = pack(&[("a", b"content"), ("b", b"")]);
    let mut reader = Reader::new(bytes.as_slice(), Limits::DEFAULT);
    assert_eq!(reader.content().read(&mut [0; 8]).expect("no content yet"), 0);
    reader.next_entry().expect("the first of two");
    let mut part = [0; 4];
    reader.content().read_exact(&mut part).expect("content of ours");
    assert_eq!(&part, b"cont");
    reader.content().read_exact(&mut part[..2]).expect("content of ours");
    assert_eq!(&part, b"ennt");
    assert_eq!(reader.finish().expect("a whole archive"), written);
}
