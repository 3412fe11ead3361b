use std::io::Read as _;

use super::super::Decoder;
use super::super::frame_header::FrameHeader;
use super::*;

fn decoded(frame: &[u8], base: &[u8], size: usize) -> Vec<u8> {
    let mut content = Vec::new();
    let mut decoder =
        Decoder::against(frame, base, size as u64, patch_window_log(size as u64)).expect("a sound header");
    decoder.read_to_end(&mut content).expect("a sound frame");
    content
}

/// Bytes that nothing compresses.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let hash = |n: u64| (n + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n.wrapping_mul(n | seed);
    (0..bytes as u64).map(|n| (hash(n) >> 29) as u8).collect()
}

/// Found however far away it is, and however the sizes are to each other.
#[test]
fn what_is_in_the_base_is_found() {
    let base = noise(1, 12 << 20);
    let line = noise(2, 60);
    let changed = [&base[..5_000_000], &line, &base[5_000_050..]].concat();
    let moved = [&base[9 << 20..], &line, &base[..9 << 20]].concat();
    let longer = [&base[..], &line, &base[..]].concat();
    let shorter = base[..300_000].to_vec();
    let end = base[11 << 20..].to_vec();
    for (name, archive) in [
        ("changed", changed),
        ("moved", moved),
        ("longer", longer),
        ("shorter", shorter),
        ("end", end),
        ("empty", Vec::new()),
    ] {
        let frame = patch_by_search(&base, &archive).expect("memory");
        assert!(decoded(&frame, &base, archive.len()) == archive, "{name}");
        assert!(frame.len() < 4000 + archive.len() / 2000, "{name}: {} bytes of {}", frame.len(), archive.len());
        let header = FrameHeader::read(&mut &*frame).expect("a frame header");
        assert_eq!(header.content_size, Some(archive.len() as u64));
        assert!(header.window_size <= 1 << patch_window_log(archive.len() as u64), "{name}");
    }
}

#[test]
fn without_a_base_it_is_a_frame_like_any_other() {
    let archive = b"rps: 10\n".repeat(1000);
    let frame = patch_by_search(b"", &archive).expect("memory");
    assert_eq!(decoded(&frame, b"", archive.len()), archive);
    assert_eq!(zstd::stream::decode_all(&*frame).expect("a sound frame"), archive);
}

#[test]
fn another_base_is_noticed_by_the_checksum() {
    let base = noise(1, 100_000);
    let frame = patch_by_search(&base, &base).expect("memory");
    let mut other = base.clone();
    other[50_000] ^= 1;
    let mut decoder = Decoder::against(&*frame, &other, 100_000, 17).expect("a sound header");
    assert!(decoder.read_to_end(&mut Vec::new()).is_err());
}
