//! First step: whether bytes are a pointer that may replace the one in force, and remembering it if so.

use bytes::Bytes;
use schema::cycle::{NotAccepted, accept};
use schema::{Digest, Limits, Pointer, Seen, Succession, Timestamp, TrustRoot, Verified};

use super::marks::{SEEN, reached};
use super::{About, Enclosed, Host};
use crate::journal::{JournalError, Record, Until};

/// A pointer as it came, nothing in it believed.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) bytes: Bytes,
    /// What came with it, no more believed than itself.
    pub(crate) enclosed: Enclosed,
    /// When it was there, by the clock.
    pub(crate) notified_at: Timestamp,
}

/// The newest pointer of this app and region; no older one will be accepted any more, not even after a restart.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) pointer: Verified<Pointer>,
    pub(crate) notified_at: Timestamp,
    /// What came with it: asked for its bytes before anything is fetched, and gone with this pointer.
    pub(crate) enclosed: Enclosed,
    /// The trust root that it was verified against.
    pub(crate) root: Digest,
}

impl Fetched {
    /// Verifies the pointer against `root`, and holds it against `seen`, the newest one accepted before.
    ///
    /// # Errors
    /// [`NotAccepted`]: what is in force stays in force.
    pub(crate) fn verify(
        self,
        about: &About,
        seen: Option<&Seen>,
        root: &Verified<TrustRoot>,
    ) -> Result<(Accepted, Succession), NotAccepted> {
        let place = (&about.app, &about.region);
        let (pointer, succession) = accept(self.bytes.clone(), root, seen, place, &Limits::DEFAULT)?;
        let Fetched { bytes: _, enclosed, notified_at } = self;
        Ok((Accepted { pointer, notified_at, enclosed, root: root.payload_digest() }, succession))
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
            let until = Until::of(&self.pointer, &host.site.about.agent);
            host.ledger.append(Record::Seen { seen, issued: self.pointer.issued, until: Some(until) }).await?;
        }
        reached(SEEN);
        Ok(())
    }
}
