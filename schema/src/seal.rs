//! Sealed documents: one line of JSON, then one minisign signature block per signer.
//!
//! In: bytes as received, and the keys of a role. Out: a [`Verified`] document, or one [`SealError`]. The order is fixed:
//! size, grammar, signatures over the received bytes, and only then is a byte of the payload parsed. The file is laid out
//! so that the stock tools can check it by hand: `head -n1` is the signed payload, `sed -n 2,5p` the first signature.
//!
//! The trusted comment of every counted signature must equal a text derived from the payload, so that one sealed file can
//! never pass for another. What identifies a sealed file is [`Sealed::payload_digest`]: signatures made by the `minisign`
//! crate differ from run to run and identify nothing.

mod assemble;
mod block;
mod document;
#[cfg(feature = "sign")]
mod sign;

use std::collections::HashSet;
use std::ops::Deref;

use bytes::Bytes;

pub use block::{BlockFault, SignatureBlock};
pub use document::{Document, Rejected};
#[cfg(feature = "sign")]
pub use sign::Payload;

use crate::digest::Digest;
use crate::keys::{PublicKey, RoleKeys};
use crate::limits::Limits;

/// A sealed file whose grammar holds; nothing in it is believed yet.
#[derive(Clone, Debug)]
pub struct Sealed {
    bytes: Bytes,
    payload_len: usize,
    blocks: Vec<SignatureBlock>,
}

impl Sealed {
    /// Splits `bytes` into payload line and signature blocks.
    ///
    /// # Errors
    /// [`SealError::TooLarge`], [`SealError::NoPayloadLine`], [`SealError::Block`] or [`SealError::SignerCount`]; each means that the
    /// bytes are no sealed file and never will be.
    pub fn parse<T: Document>(bytes: Bytes, limits: &Limits) -> Result<Sealed, SealError> {
        let max_bytes = T::max_bytes(limits);
        if bytes.len() as u64 > max_bytes {
            return Err(SealError::TooLarge { max_bytes });
        }
        let newline = bytes.iter().position(|byte| *byte == b'\n').ok_or(SealError::NoPayloadLine)?;
        let payload_len = newline + 1;
        let seals = str::from_utf8(&bytes[payload_len..]).map_err(|_| SealError::NotUtf8)?;
        let blocks = block::parse_all(seals, limits)?;
        Ok(Sealed { bytes, payload_len, blocks })
    }

    /// The signed bytes: the payload line with its newline.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[..self.payload_len]
    }

    /// What identifies this file: the sha256 that `head -n1 FILE | sha256sum` prints.
    pub fn payload_digest(&self) -> Digest {
        Digest::of(self.payload())
    }

    /// Which of the role's keys signed these bytes, each once.
    pub fn signers<'k>(&self, role: &'k RoleKeys) -> Vec<&'k PublicKey> {
        let signed = |key: &&PublicKey| self.blocks.iter().any(|block| block.is_by(key, self.payload()));
        role.keys().iter().filter(signed).collect()
    }

    /// Checks the signatures against `role`, and only then parses the payload.
    ///
    /// Distinct public keys are counted; signatures by keys outside the role are passed over, so that an overlap of old and
    /// new keys can be served to everyone.
    ///
    /// # Errors
    /// [`SealError::Threshold`] where too few of the role's keys signed, [`SealError::Document`] where what they signed is
    /// no `T`, [`SealError::Comment`] where a counted signature was made for another document.
    pub fn verify<T: Document>(self, role: &RoleKeys) -> Result<Verified<T>, SealError> {
        let counted = self.signatures_of(role);
        let signers: HashSet<&PublicKey> = counted.iter().map(|(key, _)| *key).collect();
        if signers.len() < role.threshold() {
            return Err(SealError::Threshold { signed: signers.len(), threshold: role.threshold() });
        }
        let document: T = document::parse(self.payload())?;
        let payload_digest = self.payload_digest();
        let expected = document.trusted_comment(payload_digest);
        if let Some((_, block)) = counted.iter().find(|(_, block)| block.trusted_comment() != expected) {
            return Err(SealError::Comment { found: block.trusted_comment().to_owned(), expected });
        }
        drop(counted);
        Ok(Verified { document, payload_digest, bytes: self.bytes })
    }

    /// Parses the payload before its signatures are known to hold; only for a root that came from a trusted hand.
    pub(crate) fn believed<T: Document>(&self) -> Result<T, SealError> {
        Ok(document::parse(self.payload())?)
    }

    /// Parses the payload without a look at its signatures, for one whose [`Sealed::payload_digest`] somebody vouches for who was
    /// verified: a pointer names the one before it, and its manifest.
    ///
    /// # Errors
    /// [`SealError::Document`] where the payload is no `T`.
    pub fn held_by_digest<T: Document>(&self) -> Result<T, SealError> {
        self.believed()
    }

    fn signatures_of<'a>(&'a self, role: &'a RoleKeys) -> Vec<(&'a PublicKey, &'a SignatureBlock)> {
        let pairs = self.blocks.iter().flat_map(|block| role.keys().iter().map(move |key| (key, block)));
        pairs.filter(|(key, block)| block.is_by(key, self.payload())).collect()
    }
}

/// A document whose signatures held, with the bytes they held over.
///
/// Made only by [`Sealed::verify`] and, on the signing side, by [`Verified::seal`].
#[derive(Clone, Debug)]
pub struct Verified<T> {
    document: T,
    payload_digest: Digest,
    bytes: Bytes,
}

impl<T: Document> Verified<T> {
    /// Splits, verifies and parses in one go: what every reader does with bytes it received.
    ///
    /// # Errors
    /// As [`Sealed::parse`] and [`Sealed::verify`].
    pub fn open(bytes: Bytes, role: &RoleKeys, limits: &Limits) -> Result<Verified<T>, SealError> {
        Sealed::parse::<T>(bytes, limits)?.verify(role)
    }
}

impl<T> Verified<T> {
    /// The sealed file, byte for byte as received or made.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What identifies the document: the sha256 of its payload line with the newline.
    pub fn payload_digest(&self) -> Digest {
        self.payload_digest
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.document
    }
}

/// Says why bytes are not a document that the role's keys signed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// More bytes than the document's kind may have.
    #[error("more than {max_bytes} bytes")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
    /// There is no line at all.
    #[error("no payload line")]
    NoPayloadLine,
    /// The signature blocks are not text.
    #[error("the signatures are not UTF-8")]
    NotUtf8,
    /// No signature, or more than the limit.
    #[error("{found} signatures, expected 1 to {max}")]
    SignerCount {
        /// How many there are.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// A signature block breaks the four-line grammar.
    #[error("signature {number} is malformed")]
    Block {
        /// Counting from one.
        number: usize,
        /// What is wrong with it.
        #[source]
        fault: BlockFault,
    },
    /// Too few of the role's keys signed these bytes.
    #[error("signed by {signed} of the role's keys, {threshold} needed")]
    Threshold {
        /// How many distinct keys did.
        signed: usize,
        /// How many must.
        threshold: usize,
    },
    /// The signed payload is not the expected document.
    #[error("the signed payload is not usable")]
    Document(#[from] Rejected),
    /// A signature was made for another document.
    #[error("the trusted comment is `{}`, expected `{expected}`", found.escape_debug())]
    Comment {
        /// As signed.
        found: String,
        /// As derived from the payload.
        expected: String,
    },
}

#[cfg(test)]
mod tests;
