//! One detached signature, read strictly.

use pgp::armor::BlockType;
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Packet, Signature, SignatureType, SignatureVersion, SubpacketData};
use schema::Timestamp;

use super::{PgpRefusal, read};

/// A signature over a document, with a strong hash, that names its maker by a whole fingerprint.
pub(in crate::signers) struct DetachedSignature {
    pub(super) signature: Signature,
    issuer: String,
}

impl DetachedSignature {
    /// Reads what git stores in a commit.
    pub(in crate::signers) fn read(armoured: &[u8]) -> Result<DetachedSignature, PgpRefusal> {
        let bytes = read::dearmor(armoured, &BlockType::Signature).map_err(PgpRefusal::Malformed)?;
        let packets = read::packets(&bytes).map_err(PgpRefusal::Malformed)?;
        let signature = match <[Packet; 1]>::try_from(packets) {
            Ok([Packet::Signature(signature)]) => signature,
            Ok(_) => return Err(PgpRefusal::Malformed("is not a signature packet")),
            Err(_) => return Err(PgpRefusal::Malformed("is not exactly one packet; sign it once")),
        };
        if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
            return Err(PgpRefusal::Malformed("is not one over a document"));
        }
        check_form(&signature)?;
        let issuer = match signature.issuer_fingerprint()[..] {
            [issuer] => hex::encode_upper(issuer.as_bytes()),
            _ => {
                return Err(PgpRefusal::Malformed(
                    "does not name the key that made it by one whole fingerprint; sign it with GnuPG 2.2 or later",
                ));
            }
        };
        Ok(DetachedSignature { signature, issuer })
    }

    /// The key that it says made it, which nothing proves yet.
    pub(in crate::signers) fn issuer(&self) -> String {
        self.issuer.clone()
    }

    /// Until when it counts, if it says so.
    pub(super) fn until(&self) -> Option<Timestamp> {
        expiry(&self.signature)
    }
}

/// Checks version and hash, and that nothing critical in it is beyond us.
pub(super) fn check_form(signature: &Signature) -> Result<(), PgpRefusal> {
    let config = signature.config().filter(|_| signature.version() == SignatureVersion::V4);
    let Some(config) = config else {
        return Err(PgpRefusal::Malformed("is not of version 4"));
    };
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha256, Sha384, Sha512};
    if !matches!(config.hash_alg, Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512) {
        return Err(PgpRefusal::WeakHash { hash: config.hash_alg.to_string() });
    }
    if config.created().is_none() {
        return Err(PgpRefusal::Malformed("does not say when it was made"));
    }
    let beyond_us = config.hashed_subpackets().any(|subpacket| {
        let unknown = matches!(
            subpacket.data,
            SubpacketData::Other(..) | SubpacketData::Experimental(..) | SubpacketData::Notation(_)
        );
        subpacket.is_critical && unknown
    });
    if beyond_us { Err(PgpRefusal::Malformed("has a critical part that is not understood here")) } else { Ok(()) }
}

/// When `signature` was made, in seconds since 1970.
pub(super) fn made(signature: &Signature) -> u32 {
    signature.created().map_or(0, |created| created.as_secs())
}

fn expiry(signature: &Signature) -> Option<Timestamp> {
    let length = signature.signature_expiration_time().map(|length| length.as_secs()).filter(|&length| length > 0)?;
    Some(moment(made(signature), length))
}

/// The moment `length` seconds after `start`.
pub(super) fn moment(start: u32, length: u32) -> Timestamp {
    Timestamp::from_unix_millis((i64::from(start) + i64::from(length)) * 1000)
}
