//! Writes objects: creates what is absent, and replaces the one object that changes.
//!
//! In: a [`StorePath`] and its bytes. Out: whether they stand there now, or what stands there instead. Every write is
//! conditional, and one that is not simply done is pursued until its outcome is known (`pursuit.rs`).

use bytes::Bytes;
use object_store::{PutMode, PutOptions, UpdateVersion};
use schema::keys::Fingerprint;
use schema::{App, Digest, Region, StorePath};
use tokio::time::timeout;

use crate::Store;
use crate::error::{Doing, Failure, StoreError};
use crate::patience::allowance;
use crate::pursuit::{Outcome, Pursuit};
use crate::read::{Object, at};

/// What came of [`Store::create`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "of several writers only one creates an object"]
pub enum Created {
    /// Our bytes stand there, and did not before.
    New,
    /// The same bytes stood there already: an earlier try of ours, or another writer with the same to say.
    Same,
    /// Other bytes stand there, these.
    Taken(Bytes),
}

/// What came of [`Store::write_pointer`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "another writer may have been first"]
pub enum PointerWrite {
    /// Our bytes stand there.
    Written,
    /// Another writer was first, and this stands there now; nothing if the pointer vanished, which is for a human to see.
    LostRace(Option<Object>),
}

impl Store {
    /// Creates the object at `path` unless something stands there. Of all writers of a path, ever, exactly one creates it.
    ///
    /// After [`Created::New`] and [`Created::Same`] the object is durable. Repeating it with the same bytes is harmless.
    /// An answer that was lost is followed up for [`RESOLVE_WITHIN`](crate::RESOLVE_WITHIN).
    ///
    /// # Errors
    ///
    /// [`Failure::Unknown`] if the outcome could not be learnt in that time: the bytes may or may not stand there, now or
    /// later. [`Failure::TooLarge`] if what stands there is larger than any object of its kind may be. After any error,
    /// read the store and plan anew.
    pub async fn create(&self, path: &StorePath, bytes: Bytes) -> Result<Created, StoreError> {
        Ok(match self.write(path, &bytes, None).await? {
            Outcome::Done => Created::New,
            Outcome::Stands => Created::Same,
            Outcome::Beaten(standing) => {
                Created::Taken(standing.expect("a create has seen nothing that could have vanished").bytes)
            }
        })
    }

    /// Replaces the pointer that was `seen` with `bytes`, or creates it if none was seen.
    ///
    /// `bytes` are those of a history record that was created before. So a pointer that is missing, or was put back by a
    /// slow writer, is repaired by calling this again with what is seen then.
    ///
    /// # Errors
    ///
    /// [`Failure::Unknown`] as for [`Store::create`]. [`Failure::NoEtag`] if the store gave `seen` none.
    pub async fn write_pointer(
        &self,
        app: &App,
        region: &Region,
        bytes: Bytes,
        seen: Option<&Object>,
    ) -> Result<PointerWrite, StoreError> {
        let path = StorePath::Pointer { app: app.clone(), region: region.clone() };
        Ok(match self.write(&path, &bytes, seen).await? {
            Outcome::Done | Outcome::Stands => PointerWrite::Written,
            Outcome::Beaten(standing) => PointerWrite::LostRace(standing),
        })
    }

    /// Puts one signer's signature in its place, whatever stands there.
    ///
    /// Unlike everything else in a store it is worth only what its reader finds it to be, and only its own signer has
    /// something to put there. So what somebody else left in its place is simply replaced, however large it is.
    ///
    /// # Errors
    ///
    /// Any: whether it stands there is unknown then, and saying it again is harmless.
    pub async fn put_piece(
        &self,
        app: &App,
        digest: &Digest,
        key: &Fingerprint,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        let path = StorePath::Piece { app: app.clone(), digest: *digest, key: key.clone() };
        let after = allowance(bytes.len() as u64);
        let location = at(&path);
        let putting = self.objects.put_opts(&location, bytes.into(), PutMode::Overwrite.into());
        let put = timeout(after, putting).await.map_err(|_elapsed| Failure::TimedOut { after });
        put.and_then(|put| put.map_err(Failure::from)).map_err(|kind| self.error(Doing::Write, &path, kind))?;
        Ok(())
    }

    async fn write(&self, path: &StorePath, bytes: &Bytes, seen: Option<&Object>) -> Result<Outcome, StoreError> {
        let outcome = match self.put(path, bytes, seen).await {
            Ok(()) => Ok(Outcome::Done),
            Err(failure) => Pursuit::after(failure, self, path, bytes, seen).run().await,
        };
        outcome.map_err(|kind| self.error(Doing::Write, path, kind))
    }

    /// Tries once to write `bytes` in the place of what was `seen`.
    pub(crate) async fn put(&self, path: &StorePath, bytes: &Bytes, seen: Option<&Object>) -> Result<(), Failure> {
        let mode = match seen {
            None => PutMode::Create,
            Some(Object { etag: None, .. }) => return Err(Failure::NoEtag),
            Some(Object { etag, .. }) => PutMode::Update(UpdateVersion { e_tag: etag.clone(), version: None }),
        };
        let after = allowance(bytes.len() as u64);
        let location = at(path);
        let putting =
            self.objects.put_opts(&location, bytes.clone().into(), PutOptions { mode, ..PutOptions::default() });
        timeout(after, putting).await.map_err(|_elapsed| Failure::TimedOut { after })??;
        Ok(())
    }
}
