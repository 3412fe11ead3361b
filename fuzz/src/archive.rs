//! Archives: whatever is accepted is what the writer writes, and stays in its folder.

use std::io::Read as _;

use schema::archive::{Kind, Reader, Writer};
use schema::{Digest, EntryPath, Limits};

const LIMITS: Limits = Limits { bundle_max_bytes: 64 * 1024, entries_max: 64, ..Limits::DEFAULT };
const BLOCK: usize = 512;

/// The target `archive`.
pub fn check(bytes: &[u8]) {
    let mut reader = Reader::new(bytes, LIMITS);
    let mut writer = Writer::new(Vec::new(), LIMITS);
    let (mut last, mut entries, mut content_bytes) = (None::<EntryPath>, 0, 0);
    loop {
        let entry = match reader.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(refused) => {
                assert!(refused.at <= LIMITS.bundle_max_bytes.min(bytes.len() as u64));
                assert!(reader.next_entry().is_err(), "an error is final");
                return;
            }
        };
        let path = entry.path.as_str();
        assert!(
            !path.starts_with('/') && !path.split('/').any(|part| matches!(part, "" | "." | "..")),
            "{path:?} leaves"
        );
        assert!(last.as_ref().is_none_or(|last| *last < entry.path), "{path:?} is out of order");
        entries += 1;
        assert!(entries <= LIMITS.entries_max);
        match entry.kind {
            Kind::Directory => writer.directory(entry.path.clone()).expect("the writer takes what the reader gives"),
            Kind::File { executable, size } => {
                let mut content = Vec::new();
                if reader.content().read_to_end(&mut content).is_err() {
                    return;
                }
                assert_eq!(content.len() as u64, size);
                content_bytes += size;
                assert!(content_bytes <= LIMITS.bundle_max_bytes);
                writer.file(entry.path.clone(), executable, size, &mut &content[..]).expect("the same entry");
            }
        }
        last = Some(entry.path);
    }
    let read = reader.finish().expect("it had ended");
    let (written, summary) = writer.finish().expect("a whole archive");
    assert!(written == bytes, "accepted in another spelling");
    assert_eq!((read, read.digest), (summary, Digest::of(bytes)));
}

/// Sets the checksum of every block that looks like a header.
pub fn mend_checksums(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(BLOCK).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
}
