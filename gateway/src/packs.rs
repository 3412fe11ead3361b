//! What may go along with a pointer in one answer: the manifests that it names, and patches from what an agent has.
//!
//! In: a posted pointer, and the objects of the source. Out: for each bundle that an agent may have one [`Enclosure`], which all
//! agents that have it share. Gathered once for each pointer; put together when the first agent asks for it, and never longer
//! than [`Limits::enclosed_max_bytes`]: what does not fit is fetched. Every byte is verified here as if it had been asked for on
//! its own, and by agents once more. All packs together have a fixed [`Room`]; a pointer for which there is none left goes alone.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::future::{self, join_all};
use futures_util::stream::{self, StreamExt as _};
use http::HeaderValue;
use schema::enclosed::{Part, Split};
use schema::manifest::{Encoding, Patch};
use schema::pointer::{Pointer, Target};
use schema::{App, Digest, Limits, StorePath, Verified};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::debug;

use crate::objects::{Found, Objects};

/// What goes along with one pointer.
#[derive(Debug)]
pub(crate) struct Packs {
    pointer: Bytes,
    goods: Vec<Goods>,
    /// For every bundle that makes a difference.
    known: BTreeMap<Digest, Packed>,
    /// For any other.
    unknown: Packed,
    /// Given back with them; nothing where they are of nothing.
    _room: Option<OwnedSemaphorePermit>,
}

/// Memory for the packs of all pointers together.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    pub(crate) fn new(bytes: usize) -> Room {
        Room(Arc::new(Semaphore::new(bytes / ROOM_UNIT_BYTES)))
    }

    /// Room for `bytes`, if there is any left.
    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(ROOM_UNIT_BYTES)).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(units).ok()
    }
}

/// Made when it is first asked for; nothing where the pointer goes alone.
type Packed = OnceLock<Option<Enclosure>>;

/// A body that begins with a pointer, and the header that says what else is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Enclosure {
    /// The value of `Driftless-Enclosed`.
    pub(crate) header: HeaderValue,
    /// The pointer's bytes, and what goes along with them.
    pub(crate) body: Bytes,
}

/// All that leads to one bundle that a pointer names, and is small.
#[derive(Debug)]
struct Goods {
    digest: Digest,
    manifest: Bytes,
    /// By the bundle that each needs.
    patches: BTreeMap<Digest, Bytes>,
}

impl Packs {
    /// Gathers what goes along with `pointer`, where there is `room` for it. What cannot be had is left out: those who need it ask
    /// for it, and are told why.
    pub(crate) async fn make(objects: &Objects, pointer: &Verified<Pointer>, room: &Room) -> Packs {
        let candidate = pointer.candidate.as_ref().map(|candidate| candidate.target);
        let targets = [Some(pointer.stable), candidate.filter(|target| target.digest != pointer.stable.digest)];
        let gathered = join_all(targets.into_iter().flatten().map(|target| gather(objects, &pointer.app, target)));
        let goods: Vec<Goods> = gathered.await.into_iter().flatten().collect();
        Packs::from_goods(pointer.bytes().clone(), goods, room)
    }

    fn from_goods(pointer: Bytes, goods: Vec<Goods>, room: &Room) -> Packs {
        let (goods, room) = match room.take(most_bytes(pointer.len(), &goods)) {
            Some(taken) => (goods, Some(taken)),
            None => {
                debug!("There is no room for what goes along with a pointer, so it goes alone");
                (Vec::new(), None)
            }
        };
        let makes_a_difference = goods.iter().flat_map(|goods| goods.patches.keys().copied().chain([goods.digest]));
        let known = makes_a_difference.map(|have| (have, Packed::new())).collect();
        Packs { pointer, goods, known, unknown: Packed::new(), _room: room }
    }

    /// Packs of which nothing comes.
    #[cfg(test)]
    pub(crate) fn none(pointer: Bytes) -> Packs {
        Packs::from_goods(pointer, Vec::new(), &Room::new(0))
    }

    /// What an agent is sent that has `have`; nothing where the pointer goes alone.
    pub(crate) fn of(&self, have: Digest) -> Option<Enclosure> {
        let packed = self.known.get(&have).unwrap_or(&self.unknown);
        packed.get_or_init(|| self.pack(have)).clone()
    }

    fn pack(&self, have: Digest) -> Option<Enclosure> {
        let wanted = || self.goods.iter().filter(|goods| goods.digest != have);
        let manifests = wanted().map(|goods| (Part::Manifest(goods.digest), &goods.manifest));
        let patches = wanted().filter_map(|Goods { digest, patches, .. }| {
            Some((Part::Patch { digest: *digest, base: have }, patches.get(&have)?))
        });
        let mut room = ENCLOSURE_MAX_BYTES.saturating_sub(self.pointer.len());
        // Manifests first: without its own no patch is of any use.
        let fitting = manifests.chain(patches).filter_map(|(part, bytes)| {
            room = room.checked_sub(bytes.len())?;
            Some((part, bytes.clone()))
        });
        let split = Split { pointer: self.pointer.clone(), parts: fitting.collect() };
        if split.parts.is_empty() {
            return None;
        }
        let (contents, body) = split.join().expect("two targets have at most four different parts");
        let header = HeaderValue::try_from(contents.to_string()).expect("digests and numbers are a header value");
        Some(Enclosure { header, body })
    }
}

/// What packs of `goods` may come to, once every kind of agent has asked.
fn most_bytes(pointer: usize, goods: &[Goods]) -> usize {
    if goods.is_empty() {
        return 0;
    }
    let manifests: usize = goods.iter().map(|goods| goods.manifest.len()).sum();
    let patches: usize = goods.iter().flat_map(|goods| goods.patches.values()).map(Bytes::len).sum();
    // One form for each bundle that makes a difference, and one for all others.
    let forms = 1 + goods.iter().map(|goods| goods.patches.len() + 1).sum::<usize>();
    // What was gathered is kept, and is in the forms once more: each patch in one of them.
    manifests + patches + forms * (pointer + manifests) + patches
}

/// The manifest of `target`, if it is the one that the pointer names, and the patches that it lists and that could ever fit.
async fn gather(objects: &Objects, app: &App, target: Target) -> Option<Goods> {
    let digest = target.digest;
    let manifest = objects.in_force(app, digest).await.ok()?;
    if manifest.payload_digest() != target.manifest {
        return None;
    }
    let small: Vec<Digest> = manifest
        .encodings
        .iter()
        .take(ENCODINGS_MAX)
        .filter_map(|encoding| match encoding {
            Encoding::Patch(Patch { from, size, .. }) if *size <= ENCLOSURE_MAX_BYTES as u64 => Some(*from),
            _ => None,
        })
        .collect();
    let fetches = small.into_iter().map(async |base| {
        match objects.find(&StorePath::Patch { app: app.clone(), digest, base }).await {
            // A copy: what is shared with the cache counts there as being sent, for as long as the pointer stands.
            Ok(Found::Kept(kept)) => Some((base, Bytes::copy_from_slice(&kept.bytes))),
            _ => None,
        }
    });
    // Side by side, so that a source far away is waited for once; not all of them, since all pointers may be new at once, as on a
    // start, and agents want to fetch as well.
    let patches = stream::iter(fetches).buffered(FETCHED_AT_ONCE).filter_map(future::ready).collect().await;
    Some(Goods { digest, manifest: Bytes::copy_from_slice(manifest.bytes()), patches })
}

/// Bytes of a body, which leave room for the head of an answer of [`Limits::enclosed_max_bytes`].
const ENCLOSURE_MAX_BYTES: usize = Limits::DEFAULT.enclosed_max_bytes as usize - 1024;
/// Forms of one bundle that are looked at; a publisher makes five unless it is told otherwise.
const ENCODINGS_MAX: usize = 16;
/// As many as a publisher makes unless it is told otherwise.
const FETCHED_AT_ONCE: usize = 4;
/// What room is counted in.
const ROOM_UNIT_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
