//! The signing side of a seal.

use bytes::Bytes;

use super::block::UNTRUSTED_COMMENT;
use super::{Document, SealError, Verified, document};
use crate::digest::Digest;
use crate::keys::SecretKey;
use crate::limits::Limits;

/// What is signed: a document as one line of JSON, and the trusted comment that goes with it.
#[derive(Clone, Debug)]
pub struct Payload<T> {
    document: T,
    line: Vec<u8>,
    digest: Digest,
}

impl<T: Document> Payload<T> {
    /// Writes `document` as its payload line. The same document gives the same line.
    pub fn of(document: T) -> Payload<T> {
        let line = document::encode(&document);
        Payload { digest: Digest::of(&line), document, line }
    }

    /// Reads a payload line that came from a trusted hand: whoever signs it has to know what it says.
    ///
    /// # Errors
    /// [`SealError`] where it is not one line, is too large, or is no `T`.
    pub fn parse(line: &[u8], limits: &Limits) -> Result<Payload<T>, SealError> {
        let max_bytes = T::max_bytes(limits);
        if line.len() as u64 > max_bytes {
            return Err(SealError::TooLarge { max_bytes });
        }
        match line.iter().position(|byte| *byte == b'\n') {
            Some(end) if end + 1 == line.len() => {}
            _ => return Err(SealError::NoPayloadLine),
        }
        let document = document::parse(line)?;
        Ok(Payload { document, line: line.to_vec(), digest: Digest::of(line) })
    }

    /// The document.
    pub fn document(&self) -> &T {
        &self.document
    }

    /// The bytes to sign: the line with its newline.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// What identifies the payload.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What each signer must put into the trusted comment: `minisign -S -t "…"`.
    pub fn trusted_comment(&self) -> String {
        self.document.trusted_comment(self.digest)
    }

    /// The four-line signature block of `key`.
    pub fn sign(&self, key: &SecretKey) -> String {
        let untrusted = UNTRUSTED_COMMENT.trim_start_matches("untrusted comment: ");
        minisign::sign(None, key.minisign(), &self.line[..], Some(&self.trusted_comment()), Some(untrusted))
            .expect("an unlocked key signs bytes in memory")
            .to_string()
    }
}

impl<T: Document> Verified<T> {
    /// Seals `document` with one signature block per key, in the order of `keys`.
    ///
    /// The payload is the same for the same document; the signatures differ from run to run.
    pub fn seal(document: T, keys: &[&SecretKey]) -> Verified<T> {
        Payload::of(document).seal(keys)
    }
}

impl<T: Document> Payload<T> {
    /// Seals the payload with one signature block per key, in the order of `keys`.
    pub fn seal(self, keys: &[&SecretKey]) -> Verified<T> {
        let blocks: String = keys.iter().map(|key| self.sign(key)).collect();
        let Payload { document, mut line, digest } = self;
        line.extend_from_slice(blocks.as_bytes());
        Verified { document, payload_digest: digest, bytes: Bytes::from(line) }
    }
}
