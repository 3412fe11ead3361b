//! Frames of our own, read by the stock `zstd`.

use std::fs;
use std::path::Path;
use std::process::Command;

use schema::encoding::{Piece, Run, SEAM, compress, join, patch, patch_by_search};

/// What `zstd -d` makes of `frame`, with `base` to patch from where there is one.
fn unzstd(frame: &[u8], base: Option<&[u8]>, more: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = |name: &str| folder.path().join(name);
    fs::write(place("frame.zst"), frame).expect("a file of ours");
    let mut zstd = Command::new("zstd");
    zstd.args(["-d", "-q", "-f", "-o"]).arg(place("content")).args(more);
    if let Some(base) = base {
        fs::write(place("base"), base).expect("a file of ours");
        zstd.arg(format!("--patch-from={}", place("base").display()));
    }
    let ended = zstd.arg(place("frame.zst")).output().expect("`zstd` is installed");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_that_it_lists(&place("frame.zst"));
    fs::read(place("content")).expect("what `zstd` wrote")
}

/// One frame, and nothing else.
fn assert_that_it_lists(path: &Path) {
    let listed = Command::new("zstd").args(["-l", "-v"]).arg(path).output().expect("`zstd` is installed");
    let text = String::from_utf8_lossy(&listed.stdout);
    assert!(text.contains("# Zstandard Frames: 1\n"), "{text}");
}

fn lines(from: usize, bytes: usize) -> Vec<u8> {
    let lines = (from..).flat_map(|line| format!("limit_{line}: {{ rps: {} }}\n", line * 7919 % 1000).into_bytes());
    lines.take(bytes).chain([0; SEAM]).collect()
}

/// Bytes that nothing compresses.
fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (n * n)) >> 29).map(|n| n as u8).collect()
}

#[test]
fn what_is_compressed_at_once() {
    let archive = lines(0, 3_000_000);
    assert!(unzstd(&compress(&archive).expect("memory"), None, &[]) == archive);
}

#[test]
fn what_is_joined() {
    let stretches =
        [(0, 4_000_000), (5, 100), (9, 0), (9000, 700_000), (9000, 700_001)].map(|(from, bytes)| lines(from, bytes));
    let pieces = stretches.each_ref().map(|stretch| Piece::compress(stretch).expect("a stretch that ends in zeros"));
    assert!(unzstd(&join(&pieces), None, &[]) == stretches.concat());
    assert!(unzstd(&join([&pieces[2]]), None, &[]) == stretches[2]);
    assert!(unzstd(&join([]), None, &[]).is_empty());
}

#[test]
fn a_patch_by_runs_and_one_by_search() {
    let base = noise(5_000_000);
    let fresh = lines(0, 200_000);
    let archive = [&base[1_000_000..], &fresh, &base[..77], &fresh[..3], &base[1..4_000_001]].concat();
    let runs = [
        Run::Copy { from: 1_000_000, len: 4_000_000 },
        Run::Fresh { len: fresh.len() as u64 },
        Run::Copy { from: 0, len: 77 },
        Run::Fresh { len: 3 },
        Run::Copy { from: 1, len: 4_000_000 },
    ];
    assert!(unzstd(&patch(5_000_000, &archive, &runs), Some(&base), &[]) == archive);
    assert!(unzstd(&patch_by_search(&base, &archive).expect("memory"), Some(&base), &[]) == archive);
}

#[test]
fn a_patch_between_archives_of_very_different_sizes() {
    let base = noise(9_000_000);
    let small = &base[8_999_000..];
    let shrunk = patch(9_000_000, small, &[Run::Copy { from: 8_999_000, len: 1000 }]);
    assert!(unzstd(&shrunk, Some(&base), &[]) == small);
    let grown = patch(1000, &small.repeat(9000), &vec![Run::Copy { from: 0, len: 1000 }; 9000]);
    assert!(unzstd(&grown, Some(small), &[]) == small.repeat(9000));
    assert!(unzstd(&patch(1000, b"", &[]), Some(small), &[]).is_empty());
}

/// Larger than the 128 MiB of window that `zstd` takes unless told otherwise.
#[test]
fn a_patch_that_needs_a_long_window() {
    let base = noise(1 << 20).repeat(130);
    let size = base.len() as u64;
    let archive = [&base[..100 << 20], b"fresh", &base[100 << 20..]].concat();
    let runs = [
        Run::Copy { from: 0, len: 100 << 20 },
        Run::Fresh { len: 5 },
        Run::Copy { from: 100 << 20, len: size - (100 << 20) },
    ];
    assert!(unzstd(&patch(size, &archive, &runs), Some(&base), &["--long=28"]) == archive);
}
