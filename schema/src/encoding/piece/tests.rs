use proptest::collection::vec;
use proptest::prelude::*;
use zstd::bulk;

use super::super::frame_header::FrameHeader;
use super::*;
use crate::limits::Limits;

/// Pieces of `stretches`, and what they join to, which is decoded by us and, at once, by libzstd.
fn joined(stretches: &[Vec<u8>]) -> Vec<u8> {
    let pieces: Vec<Piece> =
        stretches.iter().map(|stretch| Piece::compress(stretch).expect("a stretch that ends in zeros")).collect();
    let archive = stretches.concat();
    assert_eq!(pieces.iter().map(Piece::size).sum::<u64>(), archive.len() as u64);
    let frame = join(&pieces);
    assert_decodes(&frame, &archive);
    frame
}

fn assert_decodes(frame: &[u8], archive: &[u8]) {
    let mut content = Vec::new();
    let mut decoder =
        Decoder::new(frame, archive.len() as u64, Limits::DEFAULT.window_log_max).expect("a sound header");
    decoder.read_to_end(&mut content).expect("a sound frame");
    assert!(content == archive, "we read something else");
    assert!(bulk::decompress(frame, archive.len()).expect("a sound frame") == archive, "libzstd reads something else");
}

/// What one stretch holds before the zeros it ends with.
fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        // Matches at all distances, the ones that a frame starts with among them.
        (vec(any::<u8>(), 0..40), 0..400_usize).prop_map(|(unit, times)| unit.repeat(times)),
        vec(0..4_u8, 0..3000),
        vec(any::<u8>(), 0..3000),
    ]
}

fn stretch() -> impl Strategy<Value = Vec<u8>> {
    (content(), SEAM..2 * SEAM).prop_map(|(content, zeros)| [content, vec![0; zeros]].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_archive_cut_anywhere_it_may_be_joins_to_itself(stretches in vec(stretch(), 0..12)) {
        joined(&stretches);
    }
}

/// Lines that repeat in part, as configuration does.
fn lines(from: usize, bytes: usize) -> Vec<u8> {
    let lines = (from..)
        .flat_map(|line| format!("limit_{line}: {{ rps: {}, burst: {line} }}\n", line * 7919 % 1000).into_bytes());
    lines.take(bytes).collect()
}

fn ending_in_zeros(content: Vec<u8>) -> Vec<u8> {
    [content, vec![0; SEAM]].concat()
}

#[test]
fn stretches_of_many_blocks_join() {
    let stretches =
        [300_000, 131_072, 131_055, 5, 9_000_000, 262_144, 0, 1].map(|bytes| ending_in_zeros(lines(bytes, bytes)));
    let frame = joined(&stretches);
    let header = FrameHeader::read(&mut &*frame).expect("a frame header");
    assert_eq!(header.window_size, 1 << WINDOW_LOG);
    assert_eq!(header.content_size, Some(stretches.iter().map(|stretch| stretch.len() as u64).sum()));
    let random: Vec<u8> = (0..700_000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 29) as u8).collect();
    joined(&[ending_in_zeros(random.clone()), ending_in_zeros(vec![7; 1 << 20]), ending_in_zeros(random)]);
}

#[test]
fn pieces_join_in_any_order_and_as_often_as_told() {
    let stretches = [lines(0, 50_000), lines(900, 70_000), b"rps: 10\n".repeat(9000)].map(ending_in_zeros);
    let [a, b, c] = stretches.each_ref().map(|stretch| Piece::compress(stretch).expect("a stretch that ends in zeros"));
    let frame = join([&c, &a, &a, &b, &c]);
    assert_decodes(&frame, &[2, 0, 0, 1, 2].map(|stretch: usize| &stretches[stretch][..]).concat());
}

#[test]
fn no_piece_at_all_is_an_empty_archive() {
    assert_decodes(&join([]), b"");
}

#[test]
fn what_joins_is_about_as_small_as_what_is_compressed_at_once() {
    let archive = ending_in_zeros(lines(0, 2_000_000));
    let once = super::super::compress(&archive).expect("memory").len();
    let [first, second] = [lines(0, 1_000_000), lines(30_000, 1_000_000)].map(ending_in_zeros);
    let twice = joined(&[first, second]).len();
    assert!(twice < once + once / 20, "{twice} against {once}");
}

/// Frames as small as they get, for the sizes at which the header changes its form.
#[test]
fn every_form_of_header_is_read() {
    for size in [SEAM, 255, 256, 65_791, 65_792, 2 << 20, (2 << 20) + 1] {
        let zeros = vec![0; size];
        let piece = Piece::compress(&zeros).expect("zeros");
        assert_decodes(&join([&piece]), &zeros);
    }
}

#[test]
fn a_stretch_that_nothing_could_follow_is_refused() {
    let refused = |stretch: &[u8]| {
        let error = Piece::compress(stretch).err().expect("refused");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        error.to_string()
    };
    for short in [&b""[..], b"content", &[0; SEAM - 1], &[&[0; SEAM][..], b"x"].concat()] {
        assert!(refused(short).contains("does not end in 17 zeros"));
    }
    assert!(Piece::compress(&vec![0; STRETCH_MAX]).is_ok());
    assert!(refused(&vec![0; STRETCH_MAX + 1]).contains("longer"));
}

/// A frame may count on these offsets from its first sequence on, so every piece must leave them behind.
#[test]
fn the_seam_leaves_what_a_frame_starts_with() {
    let mut recent = Recent::UNKNOWN;
    for (literals, offset) in [(8, 8), (0, 4), (0, 1)] {
        let coded = recent.code(&Sequence { literals, length: 3, offset });
        assert_eq!((1 << coded.bits) + coded.value, offset + 3, "as it is, not as one of the last ones");
    }
    assert_eq!(recent, Recent::START);
    // A byte, repeated as the first match of the second stretch, at a distance of 1, 4 or 8, is what a wrong one would show.
    for unit in [&b"x"[..], b"abcd", b"abcdefgh"] {
        joined(&[
            ending_in_zeros(lines(0, 1000)),
            ending_in_zeros(unit.repeat(100)),
            ending_in_zeros(unit.repeat(999)),
        ]);
    }
}
