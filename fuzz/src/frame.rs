//! Compressed frames: never more bytes than were signed for, and nothing that libzstd alone would read differently.

use std::io::Read as _;

use schema::encoding::{Decoder, compress};

/// The window allowed here, small enough that a fuzzer would notice another one by its memory.
const WINDOW_LOG_MAX: u8 = 17;

/// The target `frame`: two bytes of signed size, then the frame.
pub fn check(bytes: &[u8]) {
    let Some((size, frame)) = bytes.split_first_chunk() else { return };
    let size = u64::from(u16::from_le_bytes(*size));
    let Ok(mut decoder) = Decoder::new(frame, size, WINDOW_LOG_MAX) else { return };
    let mut content = Vec::new();
    let read = decoder.read_to_end(&mut content);
    assert!(content.len() as u64 <= size, "{} bytes of {size}", content.len());
    if read.is_err() {
        assert!((content.len() as u64) < size.max(1), "the last byte is given only once all is well");
        assert!(decoder.read(&mut [0]).is_err(), "an error is final");
        return;
    }
    assert_eq!(content.len() as u64, size);
    // libzstd refuses an empty compressed block in a frame that it gets as a whole, and takes it for nothing in one that comes
    // in pieces, as here. So it may refuse more, but never read anything else.
    assert!(zstd::stream::decode_all(frame).map_or(true, |theirs| theirs == content), "libzstd reads something else");
    let again = compress(&content).expect("memory");
    let mut decoder = Decoder::new(&again[..], size, WINDOW_LOG_MAX + 4).expect("our own frame");
    let mut same = Vec::new();
    decoder.read_to_end(&mut same).expect("our own frame");
    assert!(same == content);
}
