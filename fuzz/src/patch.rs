//! Patches from outside: never more bytes than were signed for, and nothing that libzstd alone would read differently.

use std::io::Read as _;

use schema::encoding::Decoder;
use zstd::zstd_safe::DCtx;

/// The window allowed here, small enough that a fuzzer would notice another one by its memory.
const WINDOW_LOG_MAX: u8 = 17;

/// The target `patch`: two bytes of the base's length, two of signed size, the base, then the frame.
pub fn check(bytes: &[u8]) {
    let Some(([a, b, c, d], rest)) = bytes.split_first_chunk() else { return };
    let [base, size] = [[*a, *b], [*c, *d]].map(u16::from_le_bytes);
    let Some((base, frame)) = rest.split_at_checked(base.into()) else { return };
    let size = u64::from(size);
    let Ok(mut decoder) = Decoder::against(frame, base, size, WINDOW_LOG_MAX) else { return };
    let mut content = Vec::new();
    let read = decoder.read_to_end(&mut content);
    assert!(content.len() as u64 <= size, "{} bytes of {size}", content.len());
    if read.is_err() {
        assert!((content.len() as u64) < size.max(1), "the last byte is given only once all is well");
        assert!(decoder.read(&mut [0]).is_err(), "an error is final");
        return;
    }
    assert_eq!(content.len() as u64, size);
    // libzstd at once may refuse what it takes in pieces, but must not read anything else.
    let mut at_once = vec![0; content.len()];
    let mut zstd = DCtx::create();
    zstd.ref_prefix(base).expect("a prefix");
    let theirs = zstd.decompress(&mut at_once[..], frame);
    assert!(theirs.is_err() || at_once == content, "libzstd reads something else");
}
