//! What a key says of itself, or its primary key of it: the newest self-signature decides.

use pgp::packet::Signature;
use schema::Timestamp;

use super::signature::{made, moment};

/// Whether a key may sign, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) fitness: Fitness,
    /// Its first moment of not counting any more, if there is one.
    pub(super) expires: Option<Timestamp>,
}

/// Whether a key may sign at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    MaySign,
    Revoked,
    /// Why not, and what to do.
    Unfit(&'static str),
}

impl Standing {
    pub(super) fn unfit(why: &'static str) -> Standing {
        Standing { fitness: Fitness::Unfit(why), expires: None }
    }

    /// What `newest` says of a key that was made at `key_created`, in seconds since 1970.
    pub(super) fn by(newest: &Signature, key_created: u32) -> Standing {
        let length =
            |length: Option<pgp::types::Duration>| length.map(|length| length.as_secs()).filter(|&length| length > 0);
        let key_end = length(newest.key_expiration_time()).map(|length| moment(key_created, length));
        let word_end = length(newest.signature_expiration_time()).map(|length| moment(made(newest), length));
        let expires = key_end.into_iter().chain(word_end).min();
        let fitness = if newest.key_flags().sign() {
            Fitness::MaySign
        } else {
            Fitness::Unfit("is not for signing; sign with a key or subkey that has the usage [S]")
        };
        Standing { fitness, expires }
    }
}

/// The one that was made last; of two in one second, the later in the file.
pub(super) fn newest<'s>(signatures: impl Iterator<Item = &'s Signature>) -> Option<&'s Signature> {
    signatures.max_by_key(|signature| made(signature))
}
