//! Trust roots, each following from the one before: whose signatures count now, and whose counted in which epoch.

use bytes::Bytes;
use schema::root::NotSuccessor;
use schema::seal::SealError;
use schema::{App, Epoch, Limits, Pointer, Region, RoleKeys, StorePath, TrustRoot, Verified};
use store::{Store, StoreError};

use crate::kind::is_oversized;
use crate::plan::Vouching;
use crate::region::NotThePointer;

/// The roots that were walked, oldest first. There is always one: the pinned one, which came from a trusted hand.
#[derive(Clone, Debug)]
pub struct Chain {
    pinned: Verified<TrustRoot>,
    walked: Vec<Verified<TrustRoot>>,
}

/// A pointer that a root vouches for.
#[derive(Clone, Debug)]
pub(crate) struct Vouched {
    pub(crate) pointer: Verified<Pointer>,
    /// Version of the newest root of the pointer's epoch that vouches for it.
    pub(crate) version: u64,
    /// Whether agents still believe it.
    pub(crate) vouching: Vouching,
}

impl Chain {
    /// Begins with a root that came from a trusted hand.
    pub fn of(pinned: Verified<TrustRoot>) -> Chain {
        Chain { pinned, walked: Vec::new() }
    }

    /// The root that it began with.
    pub fn pinned(&self) -> &Verified<TrustRoot> {
        &self.pinned
    }

    /// The root in force.
    pub fn newest(&self) -> &Verified<TrustRoot> {
        self.walked.last().unwrap_or(&self.pinned)
    }

    /// Goes on to the root in `bytes`, signed by the thresholds of the newest and of itself.
    ///
    /// # Errors
    /// [`NotSuccessor`]; the newest stays.
    pub fn push(&mut self, bytes: Bytes) -> Result<(), NotSuccessor> {
        let next = self.newest().successor(bytes, &Limits::DEFAULT)?;
        self.walked.push(next);
        Ok(())
    }

    /// Walks on along the roots in `store`, and gives how many there were. What follows from no root ends the walk, as it does
    /// for agents.
    ///
    /// # Errors
    /// [`StoreError`] where the store fails; as far as it came, it stays.
    pub async fn walk(&mut self, store: &Store) -> Result<u64, StoreError> {
        let mut hops = 0;
        while hops < Limits::DEFAULT.root_hops_max {
            let Some(version) = self.newest().version.checked_add(1) else { break };
            let path = StorePath::Root { version };
            let object = match store.read(&path, Limits::DEFAULT.root_max_bytes).await {
                Ok(Some(object)) => object,
                Ok(None) => break,
                Err(error) if is_oversized(&error) => {
                    tracing::warn!("Object {path} is larger than a trust root may be, agents will pass over it");
                    break;
                }
                Err(error) => return Err(error),
            };
            if let Err(error) = self.push(object.bytes) {
                let said = crate::causes(&error).join(": ");
                tracing::warn!("Object {path} follows from no trust root, agents will pass over it: {said}");
                break;
            }
            hops += 1;
        }
        Ok(hops)
    }

    /// Newest first.
    fn newest_first(&self) -> impl Iterator<Item = &Verified<TrustRoot>> {
        self.walked.iter().rev().chain([&self.pinned])
    }

    /// The roots of `epoch`, newest first.
    pub(crate) fn of_epoch(&self, epoch: Epoch) -> impl Iterator<Item = &Verified<TrustRoot>> {
        self.newest_first().filter(move |root| root.epoch == epoch)
    }

    /// The roots of the epochs before `epoch`, newest first.
    pub(crate) fn before_epoch(&self, epoch: Epoch) -> impl Iterator<Item = &Verified<TrustRoot>> {
        self.newest_first().filter(move |root| root.epoch < epoch)
    }

    /// The release roles that older roots had and the newest has not, newest first.
    pub(crate) fn former_release_roles(&self) -> impl Iterator<Item = &RoleKeys> {
        let former = self.newest_first().skip(1).map(|root| &root.release);
        former.filter(|role| role.fingerprint() != self.newest().release.fingerprint())
    }

    /// Whether pointers of `epoch` and `region` were signed by more than one set of keys in turn.
    pub(crate) fn rotated_within(&self, epoch: Epoch, region: &Region) -> bool {
        let mut roles = self.newest_first().filter(|root| root.epoch == epoch).map(|root| root.pointer_keys(region));
        let newest = roles.next().map(RoleKeys::fingerprint);
        roles.any(|role| Some(role.fingerprint()) != newest)
    }

    /// Whether keys that are not known here may have signed what stands in the store: there were roots before the pinned one.
    pub(crate) fn begins_late(&self) -> bool {
        self.pinned.version > 1
    }

    /// Opens a pointer under the newest root that vouches for it among those of the epoch that it was recorded in.
    ///
    /// # Errors
    /// [`NotThePointer`]: no root of that epoch vouches for it, or it belongs elsewhere.
    pub(crate) fn open_pointer(
        &self,
        app: &App,
        region: &Region,
        epoch: Option<Epoch>,
        bytes: Bytes,
    ) -> Result<Vouched, NotThePointer> {
        let mut refused = None;
        for root in self.newest_first().filter(|root| epoch.is_none_or(|epoch| root.epoch == epoch)) {
            match Verified::<Pointer>::open(bytes.clone(), root.pointer_keys(region), &Limits::DEFAULT) {
                Ok(pointer) if (&pointer.app, &pointer.region) != (app, region) => {
                    return Err(NotThePointer::Elsewhere { app: pointer.app.clone(), region: pointer.region.clone() });
                }
                // A key may outlive its epoch, but it does not speak for another one.
                Ok(pointer) if pointer.epoch != root.epoch => {
                    refused.get_or_insert(NotThePointer::OtherEpoch { signed: pointer.epoch, root: root.epoch });
                }
                Ok(pointer) => {
                    let in_force = root.version == self.newest().version;
                    let vouching = if in_force { Vouching::InForce } else { Vouching::Superseded };
                    return Ok(Vouched { pointer, version: root.version, vouching });
                }
                // Another root may have the keys.
                Err(error @ SealError::Threshold { .. }) => {
                    refused.get_or_insert(error.into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        let oldest = self.pinned.version;
        Err(match refused {
            None => NotThePointer::BeforeTheRoots { oldest },
            // The roots before the pinned one are not known here, and theirs may be the keys.
            Some(NotThePointer::Seal(_))
                if self.begins_late() && epoch.is_none_or(|epoch| epoch == self.pinned.epoch) =>
            {
                NotThePointer::SignersUnknown { oldest }
            }
            Some(refused) => refused,
        })
    }
}
