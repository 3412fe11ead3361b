use std::io::Read as _;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::Decoder;
use super::*;

/// What `frame` makes of `base`.
fn decoded(frame: &[u8], base: &[u8], size: usize) -> Vec<u8> {
    let mut content = Vec::new();
    let mut decoder =
        Decoder::against(frame, base, size as u64, patch_window_log(size as u64)).expect("a sound header");
    decoder.read_to_end(&mut content).expect("a sound frame");
    // All at once, libzstd takes another way through its own code.
    let mut at_once = vec![0; size];
    let mut zstd = zstd::zstd_safe::DCtx::create();
    zstd.ref_prefix(base).expect("a base");
    assert_eq!(zstd.decompress(&mut at_once[..], frame).expect("a sound frame"), size);
    assert!(at_once == content);
    content
}

/// The archive that `runs` make, `fresh` giving the bytes that are not in `base`, and its patch, which was seen to be right.
fn patched(base: &[u8], runs: &[Run], mut fresh: impl Iterator<Item = u8>) -> (Vec<u8>, Vec<u8>) {
    let mut archive = Vec::new();
    for run in runs {
        match *run {
            Run::Copy { from, len } => archive.extend(&base[from as usize..][..len as usize]),
            Run::Fresh { len } => archive.extend(fresh.by_ref().take(len as usize)),
        }
    }
    let frame = patch(base.len() as u64, &archive, runs);
    assert!(decoded(&frame, base, archive.len()) == archive, "{runs:?}");
    (archive, frame)
}

/// Bytes that nothing compresses.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
}

fn copy(from: u64, len: u64) -> Run {
    Run::Copy { from, len }
}

fn fresh(len: u64) -> Run {
    Run::Fresh { len }
}

fn lengths() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..40_u64, 4 => 0..3000_u64, 1 => 0..200_000_u64]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_runs_make_the_archive(
        base_size in 1..300_000_u64,
        runs in vec((any::<bool>(), any::<prop::sample::Index>(), lengths()), 0..25),
    ) {
        let base: Vec<u8> = noise(base_size).take(base_size as usize).collect();
        let runs: Vec<Run> = runs.into_iter().map(|(is_copy, at, len)| {
            let from = at.index(base_size as usize) as u64;
            if is_copy { copy(from, len.min(base_size - from)) } else { fresh(len) }
        }).collect();
        patched(&base, &runs, noise(7));
        // Few kinds of bytes, so that a wrong offset may go unnoticed in one place but literals come in all forms.
        patched(&base, &runs, std::iter::repeat(0));
    }

    #[test]
    fn many_small_runs_make_the_archive(runs in vec((0..500_u64, 0..30_u64, 0..30_u64), 0..3000)) {
        let base: Vec<u8> = noise(3).take(600).collect();
        let runs: Vec<Run> = runs.into_iter().flat_map(|(from, len, new)| [copy(from, len), fresh(new)]).collect();
        patched(&base, &runs, noise(11));
    }
}

#[test]
fn runs_may_end_where_blocks_do() {
    let base: Vec<u8> = noise(1).take(700_000).collect();
    const BLOCK: u64 = BLOCK_MAX as u64;
    for edge in
        [BLOCK - 8, BLOCK - 3, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 3, BLOCK + 8, 65_538, 65_539, 2 * BLOCK, 5 * BLOCK]
    {
        for len in [1, 3, 8, 9, 70_000] {
            let past = 700_000 - edge.max(len);
            patched(&base, &[copy(0, edge), fresh(len), copy(past, len)], noise(2));
            patched(&base, &[fresh(edge), copy(past, len), fresh(len)], noise(2));
            patched(&base, &[copy(past, len), fresh(edge), copy(0, edge), copy(0, edge)], noise(2));
        }
    }
}

#[test]
fn every_length_of_copies_and_of_fresh_bytes_has_its_code() {
    let base: Vec<u8> = noise(1).take(140_000).collect();
    let edges = (3..17).flat_map(|log| [(1 << log) - 1, 1 << log, (1 << log) + 1, (1 << log) + 2, (1 << log) + 3]);
    for len in edges.chain(1..150) {
        patched(&base, &[copy(140_000 - len, len), fresh(1), copy(0, len), fresh(2), copy(1, 20)], noise(2));
        patched(&base, &[fresh(len), copy(0, 9), fresh(len / 2), copy(5, 11)], noise(2));
    }
}

#[test]
fn an_archive_of_one_kind_of_run() {
    let base: Vec<u8> = noise(1).take(1_000_000).collect();
    let (_, same) = patched(&base, &[copy(0, 1_000_000)], noise(2));
    assert!(same.len() < 100, "{} bytes to say that nothing changed", same.len());
    patched(&base, &[], noise(2));
    patched(b"", &[fresh(1_000_000)], noise(2));
    patched(b"", &[], noise(2));
    patched(&base, &[fresh(1)], noise(2));
    patched(&base, &[copy(999_999, 1)], noise(2));
    patched(&base, &[fresh(0), copy(500, 0), fresh(0)], noise(2));
    let shuffled: Vec<Run> = (0..1000).map(|n| copy(n * 617 % 1000 * 1000, 1000)).collect();
    patched(&base, &shuffled, noise(2));
    // Larger than its base, and smaller.
    patched(&base[..1000], &[copy(0, 1000); 3000], noise(2));
    patched(&base, &[copy(990_000, 1000), fresh(10)], noise(2));
}

#[test]
fn runs_that_continue_each_other_are_one() {
    let base: Vec<u8> = noise(1).take(1_000_000).collect();
    let files: Vec<Run> = (0..1000).flat_map(|n| [copy(n * 1000, 300), copy(n * 1000 + 300, 700)]).collect();
    let (_, whole) = patched(&base, &[copy(0, 1_000_000)], noise(2));
    let (_, by_files) = patched(&base, &files, noise(2));
    assert_eq!(whole, by_files);
}

#[test]
fn a_line_in_a_large_app_takes_few_bytes() {
    let base: Vec<u8> = noise(1).take(16 << 20).collect();
    let runs = [copy(0, 5_000_000), fresh(60), copy(5_000_050, (16 << 20) - 5_000_050)];
    let (archive, frame) = patched(&base, &runs, noise(2));
    let blocks = archive.len().div_ceil(BLOCK_MAX);
    assert!(frame.len() < 9 * blocks + 150, "{} bytes for {blocks} blocks", frame.len());
    assert_eq!(frame, patch(base.len() as u64, &archive, &runs));
}

/// Offsets of 2^29 and more are not in the predefined table.
#[test]
fn what_is_far_is_reached() {
    let far = vec![0; (1 << 29) + 5_000];
    let mut base = far;
    for (at, byte) in noise(1).take(300_000).enumerate() {
        base[at] = byte;
    }
    let mut runs =
        vec![copy(0, 200_000), fresh(5), copy(200_100, 100), copy(100, 300), fresh(200_000), copy(40, 9), fresh(1)];
    runs.extend([copy((1 << 29) + 4000, 500), fresh(9), copy(77, 1000), copy((1 << 29) + 4000, 1000)]);
    let (_, frame) = patched(&base, &runs, noise(2));
    assert!(frame.len() < 200_500);
}

#[test]
#[should_panic(expected = "2 bytes from 9 on are not in a base of 10")]
fn a_run_beyond_the_base_is_a_mistake_of_the_caller() {
    patch(10, b"ab", &[copy(9, 2)]);
}

#[test]
#[should_panic(expected = "runs of 1 bytes for an archive of 2")]
fn runs_that_are_too_few_are_a_mistake_of_the_caller() {
    patch(10, b"ab", &[fresh(1)]);
}
