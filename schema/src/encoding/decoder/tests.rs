//! Against a base: everything that a patch from outside may be. What frames without a base may be is in `encoding/tests.rs`.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{Run, patch, patch_by_search, patch_window_log};
use super::*;

/// Decodes `frame` in small pieces, and gives what came out, whether it ended well or not.
fn decode(frame: &[u8], base: &[u8], size: u64, window_log_max: u8) -> (Vec<u8>, io::Result<()>) {
    let mut content = Vec::new();
    let ended = Decoder::against(io::BufReader::with_capacity(7, frame), base, size, window_log_max)
        .and_then(|mut decoder| decoder.read_to_end(&mut content).map(drop));
    (content, ended)
}

/// What `frame` is refused for, having seen that it gave less than `size` bytes first.
fn refused(frame: &[u8], base: &[u8], size: u64) -> DecodeError {
    let (content, ended) = decode(frame, base, size, patch_window_log(size));
    let error = ended.expect_err("refused");
    assert!((content.len() as u64) < size.max(1), "{} bytes of {size}", content.len());
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    *error.into_inner().and_then(|inner| inner.downcast().ok()).expect("a decode error")
}

/// A base, a new archive that shares most of it, and two patches.
type Samples = (Vec<u8>, Vec<u8>, [Vec<u8>; 2]);

fn samples() -> Samples {
    let base: Vec<u8> = (0..90_000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    let archive = [&base[..150_000], b"fresh", &base[150_009..]].concat();
    let runs = [
        Run::Copy { from: 0, len: 150_000 },
        Run::Fresh { len: 5 },
        Run::Copy { from: 150_009, len: 360_000 - 150_009 },
    ];
    let patches = [patch(360_000, &archive, &runs), patch_by_search(&base, &archive).expect("memory")];
    (base, archive, patches)
}

#[test]
fn a_patch_makes_the_archive_of_its_base() {
    let (base, archive, patches) = samples();
    for frame in patches {
        let (content, ended) = decode(&frame, &base, archive.len() as u64, 19);
        ended.expect("a sound frame");
        assert!(content == archive);
    }
}

#[test]
fn a_base_that_is_too_short_is_not_read_beyond_its_start() {
    let (base, archive, patches) = samples();
    for frame in patches {
        for short in [&base[..base.len() - 1], &base[1..], &base[..1000], b"x", b""] {
            let (content, ended) = decode(&frame, short, archive.len() as u64, 19);
            // A shift of all offsets makes something else, unless one of them leads to before the base.
            assert!(ended.is_err() || content != archive);
        }
        assert!(matches!(refused(&frame, b"", archive.len() as u64), DecodeError::Corrupt(_)));
    }
}

#[test]
fn another_base_never_makes_more_than_was_signed() {
    let (base, archive, patches) = samples();
    let other = vec![7; base.len()];
    for frame in patches {
        let (content, _) = decode(&frame, &other, archive.len() as u64, 19);
        assert!(content.len() <= archive.len() && content != archive);
    }
}

#[test]
fn every_truncation_of_a_patch_is_refused() {
    let (base, archive, patches) = samples();
    for frame in patches {
        for length in 0..frame.len() {
            assert!(
                matches!(refused(&frame[..length], &base, archive.len() as u64), DecodeError::Truncated),
                "{length}"
            );
        }
    }
}

#[test]
fn nothing_may_follow_a_patch() {
    let (base, archive, patches) = samples();
    for frame in patches {
        for more in [&frame[..], b"\0", &[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]] {
            let longer = [&frame[..], more].concat();
            assert!(matches!(refused(&longer, &base, archive.len() as u64), DecodeError::Trailing));
        }
    }
}

#[test]
fn a_patch_of_another_size_or_window_than_was_signed_is_refused_by_its_header() {
    let (base, archive, patches) = samples();
    let size = archive.len() as u64;
    for frame in patches {
        assert!(matches!(refused(&frame, &base, size - 1), DecodeError::StatedSize { stated: 359_996, size: 359_995 }));
        let error = decode(&frame, &base, size, 18).1.expect_err("its window is larger");
        assert_eq!(error.to_string(), "the frame asks for a window of 359996 bytes, more than 2^18");
    }
}

/// A base that starts as dictionaries do is just bytes, all the same.
#[test]
fn a_base_is_never_taken_for_a_dictionary() {
    let base = [&[0x37, 0xa4, 0x30, 0xec][..], &b"rps: 10\n".repeat(100)].concat();
    let frame = patch(base.len() as u64, &base, &[Run::Copy { from: 0, len: base.len() as u64 }]);
    let (content, ended) = decode(&frame, &base, base.len() as u64, 10);
    ended.expect("a sound frame");
    assert_eq!(content, base);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_patch_is_bounded(at in any::<prop::sample::Index>(), flip in 1..=u8::MAX, searched in any::<bool>()) {
        static SAMPLES: LazyLock<Samples> = LazyLock::new(samples);
        let (base, archive, patches) = &*SAMPLES;
        let mut frame = patches[usize::from(searched)].clone();
        let at = at.index(frame.len());
        frame[at] ^= flip;
        let (content, ended) = decode(&frame, base, archive.len() as u64, 19);
        match ended {
            Ok(()) => prop_assert_eq!(content.len(), archive.len()),
            Err(error) => {
                prop_assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                prop_assert!(content.len() < archive.len());
            }
        }
    }

    #[test]
    fn arbitrary_bytes_against_arbitrary_ones_never_yield_more_than_was_signed(
        bytes in vec(any::<u8>(), 0..200), base in vec(any::<u8>(), 0..50), size in 0..64_u64,
    ) {
        let frame = [&[0x28, 0xb5, 0x2f, 0xfd], bytes.as_slice()].concat();
        let (content, _) = decode(&frame, &base, size, 10);
        prop_assert!(content.len() as u64 <= size);
    }
}
