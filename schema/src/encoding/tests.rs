use std::io::{self, BufReader, Read, Write};

use proptest::collection::vec;
use proptest::prelude::*;

use super::frame_header::{FrameHeader, MAGIC};
use super::*;
use crate::limits::Limits;

const WINDOW_LOG_MAX: u8 = Limits::DEFAULT.window_log_max;

/// Decodes `frame` in small pieces, and gives what came out, whether it ended well or not.
fn decode(frame: &[u8], size: u64) -> (Vec<u8>, io::Result<()>) {
    let mut content = Vec::new();
    let ended = Decoder::new(BufReader::with_capacity(7, frame), size, WINDOW_LOG_MAX)
        .and_then(|mut decoder| decoder.read_to_end(&mut content).map(drop));
    (content, ended)
}

/// What `frame` is refused for, having seen that it gave less than `size` bytes first.
fn refused(frame: &[u8], size: u64) -> DecodeError {
    let (content, ended) = decode(frame, size);
    let error = ended.expect_err("refused");
    assert!((content.len() as u64) < size.max(1), "{} bytes of {size}", content.len());
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    *error.into_inner().and_then(|inner| inner.downcast().ok()).expect("a decode error")
}

/// A frame that does not say its size, with a window as large as told.
fn stream(content: &[u8], window_log: u32) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL).expect("memory");
    encoder.window_log(window_log).expect("a window log in range");
    encoder.long_distance_matching(true).expect("a known parameter");
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

fn skippable() -> Vec<u8> {
    [&[0x5a, 0x2a, 0x4d, 0x18, 4, 0, 0, 0], &b"evil"[..]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_compressed_is_decoded_again(unit in vec(any::<u8>(), 0..300), times in 0..200_usize) {
        let content = unit.repeat(times);
        let frame = compress(&content).expect("memory");
        let (decoded, ended) = decode(&frame, content.len() as u64);
        prop_assert!(ended.is_ok(), "{:?}", ended);
        prop_assert!(decoded == content);
    }

    #[test]
    fn a_mutated_frame_is_refused_or_decodes_to_the_same_or_is_bounded(
        unit in vec(any::<u8>(), 1..300),
        times in 1..200_usize,
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let content = unit.repeat(times);
        let mut frame = compress(&content).expect("memory");
        let at = at.index(frame.len());
        frame[at] ^= flip;
        let (decoded, ended) = decode(&frame, content.len() as u64);
        match ended {
            // Bits that mean nothing may change, such as the one the format leaves unused.
            Ok(()) => prop_assert!(decoded == content),
            Err(error) => {
                prop_assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                prop_assert!(decoded.len() < content.len());
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_yield_more_than_was_signed(bytes in vec(any::<u8>(), 0..200), size in 0..64_u64) {
        let (decoded, _) = decode(&[&MAGIC, bytes.as_slice()].concat(), size);
        prop_assert!(decoded.len() as u64 <= size);
    }
}

#[test]
fn a_frame_says_its_size_ends_with_a_checksum_and_fits_every_decoder() {
    let frame = compress(&vec![7; 12 << 20]).expect("memory");
    let header = FrameHeader::read(&mut frame.as_slice()).expect("a frame header");
    assert_eq!(header.content_size, Some(12 << 20));
    assert_eq!(header.window_size, 1 << 21);
    assert_eq!(frame[4] & 4, 4, "the checksum flag");
    assert_eq!(frame, compress(&vec![7; 12 << 20]).expect("memory"));
}

#[test]
fn a_bomb_is_refused_by_what_it_says_or_where_the_signed_size_ends() {
    let zeros = vec![0; 16 << 20];
    let stated = compress(&zeros).expect("memory");
    assert!(matches!(refused(&stated, 1000), DecodeError::StatedSize { stated: 16_777_216, size: 1000 }));
    let silent = stream(&zeros, 21);
    assert!(matches!(refused(&silent, 1000), DecodeError::Long { size: 1000 }));
    assert!(matches!(refused(&silent, 0), DecodeError::Long { size: 0 }));
    assert!(matches!(refused(&silent, (16 << 20) + 1), DecodeError::Short { missing: 1, .. }));
}

#[test]
fn only_one_frame_is_read_and_nothing_after_it() {
    let frame = compress(b"content").expect("memory");
    let [two, last, first] = [[&frame[..], &frame], [&frame, &skippable()], [&skippable(), &frame]].map(|f| f.concat());
    assert!(matches!(refused(&two, 7), DecodeError::Trailing));
    assert!(matches!(refused(&two, 14), DecodeError::StatedSize { stated: 7, size: 14 }));
    assert!(matches!(refused(&last, 7), DecodeError::Trailing));
    assert!(matches!(refused(&first, 7), DecodeError::Skippable));
    assert!(matches!(refused(&[&frame[..], b"\0"].concat(), 7), DecodeError::Trailing));
    assert!(matches!(refused(b"\x1f\x8b\x08\0 gzip", 7), DecodeError::Magic));
    let two_silent = stream(b"content", 21).repeat(2);
    assert!(matches!(refused(&two_silent, 14), DecodeError::Short { missing: 7, size: 14 }));
}

#[test]
fn an_empty_archive_still_needs_its_frame() {
    let frame = compress(b"").expect("memory");
    assert!(decode(&frame, 0).1.is_ok());
    assert!(matches!(refused(b"", 0), DecodeError::Truncated));
}

#[test]
fn every_truncation_is_refused() {
    let content = b"content ".repeat(40);
    for frame in [compress(&content).expect("memory"), stream(&content, 21)] {
        for length in 0..frame.len() {
            assert!(matches!(refused(&frame[..length], 320), DecodeError::Truncated), "{length}");
        }
    }
}

#[test]
fn a_window_above_the_limit_is_refused_before_it_is_allocated() {
    let content = b"content".repeat(3);
    assert!(decode(&stream(&content, 23), 21).1.is_ok());
    let above = refused(&stream(&content, 24), 21);
    assert!(matches!(above, DecodeError::Window { window_size: 0x100_0000, window_log_max: 23 }), "{above:?}");
    // Exponent 31 and nothing else: two gigabytes.
    let vast = [&MAGIC[..], &[0, 21 << 3, 1, 0, 0]].concat();
    assert!(matches!(refused(&vast, 21), DecodeError::Window { window_size: 0x8000_0000, .. }));
    // A single segment of 1 GiB, whose window is all of it.
    let segment = [&MAGIC[..], &[0xa0, 0, 0, 0, 0x40]].concat();
    assert!(matches!(refused(&segment, 1 << 30), DecodeError::Window { window_size: 0x4000_0000, .. }));
}

#[test]
fn a_damaged_checksum_is_found_before_the_last_byte_is_given() {
    let mut frame = compress(b"content").expect("memory");
    *frame.last_mut().expect("a frame") ^= 1;
    let mut decoder = Decoder::new(frame.as_slice(), 7, WINDOW_LOG_MAX).expect("a sound header");
    let mut content = [0; 7];
    let damaged = decoder.read_exact(&mut content).expect_err("damaged");
    assert_eq!(damaged.to_string(), "the frame is corrupt");
    let later = decoder.read(&mut content).expect_err("an error is final");
    assert_eq!(later.to_string(), "decoding failed before");
}

#[test]
fn an_input_that_fails_is_not_malformed() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let frame = compress(b"content").expect("memory");
    let mut decoder =
        Decoder::new(BufReader::new(frame[..12].chain(Broken)), 7, WINDOW_LOG_MAX).expect("a sound header");
    let failed = decoder.read_to_end(&mut Vec::new()).expect_err("broken");
    assert_eq!(failed.kind(), io::ErrorKind::ConnectionReset);
}
