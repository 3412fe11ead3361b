//! First step: whether bytes are a pointer that may replace the one in force, and remembering it if so.

use bytes::Bytes;
use schema::seal::SealError;
use schema::succession::{Refusal, succeed};
use schema::{Digest, Limits, Pointer, Seen, Succession, Timestamp, TrustRoot, Verified};

use super::Host;
use super::marks::{SEEN, reached};
use crate::journal::{JournalError, Record};

/// A pointer as it came, nothing in it believed.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) bytes: Bytes,
    /// When it was there, by the clock.
    pub(crate) notified_at: Timestamp,
}

/// The newest pointer of this app and region; no older one will be accepted any more, not even after a restart.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) pointer: Verified<Pointer>,
    pub(crate) notified_at: Timestamp,
    /// The trust root that it was verified against.
    pub(crate) root: Digest,
}

/// Says why a pointer was not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAccepted {
    /// Not signed by those who may.
    #[error("its seal does not hold")]
    Seal(#[from] SealError),
    /// Signed, and still not the next one.
    #[error(transparent)]
    Succession(#[from] Refusal),
}

impl Fetched {
    /// Verifies the pointer against `root`, and holds it against the newest one accepted before.
    ///
    /// # Errors
    /// [`NotAccepted`]: what is in force stays in force.
    pub(crate) fn verify(self, host: &Host, root: &Verified<TrustRoot>) -> Result<(Accepted, Succession), NotAccepted> {
        let (limits, about) = (Limits::DEFAULT, &host.site.about);
        let pointer = Verified::<Pointer>::open(self.bytes, root.pointer_keys(&about.region), &limits)?;
        let expected = (&about.app, &about.region);
        let succession = succeed(host.ledger.state().seen.as_ref(), &pointer, expected, root.epoch, &limits)?;
        Ok((Accepted { pointer, notified_at: self.notified_at, root: root.payload_digest() }, succession))
    }
}

impl Accepted {
    /// Whether `root`, which may have come since, still lets those sign who signed the pointer.
    pub(crate) fn is_vouched_for(&self, root: &Verified<TrustRoot>) -> bool {
        if self.root == root.payload_digest() {
            return true;
        }
        let role = root.pointer_keys(&self.pointer.region);
        let opened = Verified::<Pointer>::open(self.pointer.bytes().clone(), role, &Limits::DEFAULT);
        opened.is_ok_and(|pointer| pointer.epoch == root.epoch)
    }

    /// Makes it durable that this pointer was seen, before anything is done about it.
    pub(crate) async fn remember(&self, host: &mut Host) -> Result<(), JournalError> {
        let seen = Seen::of(&self.pointer);
        if host.ledger.state().seen != Some(seen) {
            host.ledger.append(Record::Seen { seen, issued: self.pointer.issued }).await?;
        }
        reached(SEEN);
        Ok(())
    }
}
