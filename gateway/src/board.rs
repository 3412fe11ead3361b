//! The newest verified pointer of every app and region, and who waits for a newer one.
//!
//! In: bytes that claim to be a pointer. Out: [`Posted`] pointers, each with its answer prepared. A pointer is replaced only
//! through [`schema::succession::succeed`] after its signatures held, so a source that serves an older or a forged one
//! changes nothing here. Waiting is level-triggered: a waiter asks "is there another one than mine?", never "what happened?".

mod bells;
mod marks;
mod posted;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use schema::pointer::Pointer;
use schema::succession::{self, Refusal};
use schema::{Limits, Seen, Succession, Timestamp, TrustRoot, Verified};
use tokio::sync::{Notify, watch};

pub(crate) use posted::Posted;

use self::bells::Bells;
use crate::http::Printed;
use crate::packs::Packs;
use crate::pair::Pair;

/// One slot for each app and region that has, or had, a pointer.
#[derive(Debug, Default)]
pub(crate) struct Board {
    slots: RwLock<BTreeMap<Pair, Arc<Slot>>>,
    news: Notify,
}

/// Where the newest pointer of one app and region is posted.
#[derive(Debug)]
pub(crate) struct Slot {
    posted: watch::Sender<Arc<Posted>>,
    /// When the source last said that this pointer is still the one, in milliseconds since 1970.
    confirmed: AtomicI64,
    bells: Bells,
    /// What was said of it lately, for those who wait one by one.
    pub(crate) printed: Mutex<Printed>,
}

impl Board {
    /// The slot of `pair`; nothing before its first pointer.
    pub(crate) fn slot(&self, pair: &Pair) -> Option<Arc<Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).get(pair).cloned()
    }

    /// Every slot, sorted.
    pub(crate) fn slots(&self) -> Vec<(Pair, Arc<Slot>)> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.iter().map(|(pair, slot)| (pair.clone(), Arc::clone(slot))).collect()
    }

    /// Posts `bytes` as the pointer of `pair` if they are one, under `root`, and may replace the one in force.
    ///
    /// # Errors
    /// [`NotPosted`]; what is posted stays, and so does the moment it was last confirmed.
    pub(crate) fn offer(
        &self,
        pair: &Pair,
        bytes: Bytes,
        root: &TrustRoot,
        now: Timestamp,
    ) -> Result<Succession, NotPosted> {
        let refuse = |fault| NotPosted { pair: pair.clone(), fault };
        let limits = &Limits::DEFAULT;
        let pointer = Verified::<Pointer>::open(bytes, root.pointer_keys(&pair.region), limits)
            .map_err(|fault| refuse(Fault::Unverified(fault)))?;
        let succeed = |seen: Option<&Seen>| {
            succession::succeed(seen, &pointer, (&pair.app, &pair.region), root.epoch, limits)
                .map_err(|refusal| refuse(Fault::Refused(Box::new(refusal))))
        };
        let slot = match self.slot(pair) {
            Some(slot) => slot,
            None => {
                let first = succeed(None)?;
                let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
                match slots.entry(pair.clone()) {
                    Entry::Vacant(vacant) => {
                        vacant.insert(Arc::new(Slot::first(pointer, now)));
                        self.news.notify_one();
                        return Ok(first);
                    }
                    Entry::Occupied(meanwhile) => Arc::clone(meanwhile.get()),
                }
            }
        };
        // Decided and replaced under the slot's lock, so that two offers at once cannot undo each other.
        let mut decided = Ok(Succession::Same);
        slot.posted.send_if_modified(|posted| {
            decided = succeed(Some(posted.seen()));
            let replaces = matches!(decided, Ok(Succession::Newer | Succession::Resigned));
            if replaces {
                *posted = Arc::new(posted.succeeded_by(pointer.clone()));
            }
            replaces
        });
        if matches!(decided, Ok(Succession::Newer | Succession::Resigned)) {
            slot.bells.ring();
            self.news.notify_one();
        }
        if decided.is_ok() {
            slot.confirm(now);
        }
        decided
    }

    /// Waits until something was posted since the last time that this was asked. There is one who asks.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }
}

impl Slot {
    fn first(pointer: Verified<Pointer>, now: Timestamp) -> Slot {
        let posted = watch::Sender::new(Arc::new(Posted::first(pointer)));
        let confirmed = AtomicI64::new(now.unix_millis());
        Slot { posted, confirmed, bells: Bells::default(), printed: Mutex::default() }
    }

    /// What is posted now.
    pub(crate) fn posted(&self) -> Arc<Posted> {
        Arc::clone(&self.posted.borrow())
    }

    /// A place in the row of those who wait for another one.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Posted>> {
        self.posted.subscribe()
    }

    /// Has `bell` rung, for as long as this process lives, whenever there may be more to say than before.
    pub(crate) fn hang(&self, bell: impl Fn() + Send + Sync + 'static) {
        self.bells.hang(bell);
    }

    /// Notes what goes along with `posted`.
    pub(crate) fn pack(&self, posted: &Posted, packs: Packs) {
        posted.pack(packs);
        self.bells.ring();
    }

    /// Notes that the source still says so at `now`.
    pub(crate) fn confirm(&self, now: Timestamp) {
        self.confirmed.store(now.unix_millis(), Ordering::Relaxed);
    }

    /// When the source last said so.
    pub(crate) fn confirmed(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.confirmed.load(Ordering::Relaxed))
    }
}

/// Says why bytes were not posted as a pointer.
#[derive(Debug, thiserror::Error)]
#[error("the pointer of `{}` in `{}` was not taken over", pair.app, pair.region)]
pub(crate) struct NotPosted {
    pub(crate) pair: Pair,
    #[source]
    pub(crate) fault: Fault,
}

impl NotPosted {
    /// Whether a trust root that we do not have yet could make it acceptable.
    pub(crate) fn may_be_of_a_newer_root(&self) -> bool {
        match &self.fault {
            Fault::Unverified(_) => true,
            Fault::Refused(refusal) => matches!(**refusal, Refusal::WrongEpoch { .. }),
        }
    }
}

/// What is wrong with an offered pointer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Not a pointer that the region's keys signed.
    #[error("it does not verify under the trust root in force")]
    Unverified(#[source] schema::seal::SealError),
    /// A pointer, but not one that may follow the one in force.
    #[error(transparent)]
    Refused(Box<Refusal>),
}

#[cfg(test)]
pub(crate) mod tests;
