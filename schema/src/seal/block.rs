//! One minisign signature: exactly four lines, one spelling.
//!
//! The stock tool and both Rust crates disagree about white space, trailing lines and the untrusted comment, none of which
//! is signed. So this grammar stands in front of the verifier and fixes every byte that a signature does not cover.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SealError;
use crate::keys::PublicKey;
use crate::limits::Limits;

/// A signature block whose grammar holds; whether it signs anything is not known yet.
#[derive(Clone)]
pub struct SignatureBlock {
    minisign: minisign_verify::Signature,
    trusted_comment: Box<str>,
}

impl SignatureBlock {
    /// Parses the four lines, each with its newline.
    ///
    /// # Errors
    /// [`BlockFault`] names the first line that is not as it must be.
    pub fn parse(text: &str) -> Result<SignatureBlock, BlockFault> {
        let mut lines = text.split_inclusive('\n').map(|line| line.strip_suffix('\n').ok_or(BlockFault::LineCount));
        let mut next = || lines.next().ok_or(BlockFault::LineCount)?;
        let (untrusted, signature, trusted, global) = (next()?, next()?, next()?, next()?);
        if lines.next().is_some() {
            return Err(BlockFault::LineCount);
        }
        if untrusted != UNTRUSTED_COMMENT {
            return Err(BlockFault::UntrustedComment);
        }
        let bytes = decode(signature, SIGNATURE_LEN).ok_or(BlockFault::Signature)?;
        if !bytes.starts_with(PREHASHED) {
            return Err(BlockFault::Algorithm);
        }
        let trusted_comment = trusted.strip_prefix(TRUSTED_PREFIX).ok_or(BlockFault::TrustedComment)?;
        if !trusted_comment.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
            || trusted_comment.trim() != trusted_comment
        {
            return Err(BlockFault::TrustedComment);
        }
        decode(global, GLOBAL_LEN).ok_or(BlockFault::GlobalSignature)?;
        let minisign = minisign_verify::Signature::decode(text).map_err(|_| BlockFault::Signature)?;
        Ok(SignatureBlock { minisign, trusted_comment: trusted_comment.into() })
    }

    /// The comment that the signature covers.
    pub fn trusted_comment(&self) -> &str {
        &self.trusted_comment
    }

    /// Whether `key` made this signature over `payload` and over the trusted comment. Legacy signatures never hold.
    pub fn is_by(&self, key: &PublicKey, payload: &[u8]) -> bool {
        key.minisign().verify(payload, &self.minisign, false).is_ok()
    }
}

impl std::fmt::Debug for SignatureBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignatureBlock").field("trusted_comment", &self.trusted_comment).finish_non_exhaustive()
    }
}

/// Parses the one to [`Limits::signers_max`] blocks that follow a payload line.
pub(super) fn parse_all(text: &str, limits: &Limits) -> Result<Vec<SignatureBlock>, SealError> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let found = lines.len().div_ceil(LINES);
    if found == 0 || found > limits.signers_max {
        return Err(SealError::SignerCount { found, max: limits.signers_max });
    }
    let blocks = lines.chunks(LINES).enumerate().map(|(index, lines)| {
        let text = lines.concat();
        let in_bounds = text.len() as u64 <= limits.signature_max_bytes;
        let block = if in_bounds { SignatureBlock::parse(&text) } else { Err(BlockFault::TooLarge) };
        block.map_err(|fault| SealError::Block { number: index + 1, fault })
    });
    blocks.collect()
}

/// What can be wrong with a signature block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockFault {
    /// Longer than the limit.
    #[error("it is longer than a signature can be")]
    TooLarge,
    /// Not four lines that each end in a newline.
    #[error("it is not four lines")]
    LineCount,
    /// Not the one untrusted comment that the format has.
    #[error("its first line is not `untrusted comment: signature from minisign secret key`")]
    UntrustedComment,
    /// Not 74 bytes in canonical base64.
    #[error("its second line is not a signature")]
    Signature,
    /// Legacy or unknown.
    #[error("its algorithm is not `ED` (prehashed)")]
    Algorithm,
    /// Not `trusted comment: ` and printable ASCII.
    #[error("its third line is not a trusted comment")]
    TrustedComment,
    /// Not 64 bytes in canonical base64.
    #[error("its fourth line is not a signature")]
    GlobalSignature,
}

/// Decodes `text` if it is the one canonical base64 spelling of `len` bytes.
fn decode(text: &str, len: usize) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|bytes| bytes.len() == len)
}

/// What the stock tool writes when it is not told otherwise. Not signed, hence pinned.
pub(super) const UNTRUSTED_COMMENT: &str = "untrusted comment: signature from minisign secret key";
const TRUSTED_PREFIX: &str = "trusted comment: ";
const PREHASHED: &[u8] = b"ED";
const SIGNATURE_LEN: usize = 74;
const GLOBAL_LEN: usize = 64;
const LINES: usize = 4;
