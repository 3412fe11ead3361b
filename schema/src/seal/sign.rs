//! The signing side of a seal.

use bytes::Bytes;

use super::block::UNTRUSTED_COMMENT;
use super::{Document, Verified, document};
use crate::digest::Digest;
use crate::keys::SecretKey;

impl<T: Document> Verified<T> {
    /// Seals `document` with one signature block per key, in the order of `keys`.
    ///
    /// The payload is the same for the same document; the signatures differ from run to run.
    pub fn seal(document: T, keys: &[&SecretKey]) -> Verified<T> {
        let mut bytes = document::encode(&document);
        let payload_digest = Digest::of(&bytes);
        let comment = document.trusted_comment(payload_digest);
        let blocks: String = keys.iter().map(|key| sign(key, &bytes, &comment)).collect();
        bytes.extend_from_slice(blocks.as_bytes());
        Verified { document, payload_digest, bytes: Bytes::from(bytes) }
    }
}

fn sign(key: &SecretKey, payload: &[u8], trusted_comment: &str) -> String {
    let untrusted = UNTRUSTED_COMMENT.trim_start_matches("untrusted comment: ");
    minisign::sign(None, key.minisign(), payload, Some(trusted_comment), Some(untrusted))
        .expect("an unencrypted key signs bytes in memory")
        .to_string()
}
