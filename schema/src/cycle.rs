//! The rules that a reader enforces, in their order, each cycle.
//!
//! In: what the reader trusts and remembers ([`Trusted`]), what somebody offers ([`Offer`]), and the clock. Out: what may be
//! applied ([`Admitted`]), or the one [`Refusal`] of the first rule that is broken, and what is trusted and remembered from now on.
//! Knows nothing of files, sockets or hosts.
//!
//! | rule | what holds | function |
//! | --- | --- | --- |
//! | 1 | the cycle's time is fixed once, and is never behind a signature that was accepted | [`time`] |
//! | 2 | roots follow one another, signed by the thresholds of both | [`Verified::successor`](crate::Verified::successor) |
//! | 3 | an expired root holds | [`freshness`] |
//! | 4, 5 | the pointer is signed for this place and epoch, and follows the one before | [`accept`] |
//! | 6 | an expired pointer is stale | [`freshness`] |
//! | 7 | the manifest is the one named, released above the floor and not revoked | [`vouch`] |
//!
//! An agent fetches between the rules, so it calls the functions one by one; [`admit`] is all of them in one go, for those who
//! have everything at hand. Rule 8, that going back is a newer generation, needs no code of its own: it passes rule 5.

use bytes::Bytes;

use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::name::{App, Region};
use crate::pointer::Pointer;
use crate::root::{NotSuccessor, TrustRoot};
use crate::seal::{SealError, Verified};
use crate::succession::{self, Seen, Succession, succeed};
use crate::time::Timestamp;

mod vouch;

pub use vouch::{NotVouched, vouch};

/// What a reader trusts and remembers of one app and region, from cycle to cycle.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// The newest trust root that was reached.
    pub root: Verified<TrustRoot>,
    /// The newest pointer that was accepted.
    pub seen: Option<Seen>,
    /// When that pointer was signed: the clock is never believed to be earlier.
    pub floor: Option<Timestamp>,
}

/// What somebody offers: nothing in it is believed.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Trust roots that follow the one in force, in order.
    pub roots: Vec<Bytes>,
    /// The pointer.
    pub pointer: Bytes,
    /// The manifest that the pointer's stable target names.
    pub manifest: Bytes,
}

/// What may be applied.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The pointer, and how it relates to the one before.
    pub pointer: Verified<Pointer>,
    /// How it relates to the one before.
    pub succession: Succession,
    /// What vouches for the bundle.
    pub manifest: Verified<Manifest>,
}

/// The cycle's time: the clock, but never before `floor`.
pub fn time(clock: Timestamp, floor: Option<Timestamp>) -> Timestamp {
    floor.map_or(clock, |floor| clock.max(floor))
}

/// Whether something that expired forbids to apply anything new. What runs goes on running.
///
/// # Errors
/// [`Stale`]: the root before the pointer.
pub fn freshness(root: &TrustRoot, pointer: &Pointer, now: Timestamp) -> Result<(), Stale> {
    root_freshness(root, now)?;
    if pointer.is_expired(now) { Err(Stale::Pointer { expires: pointer.expires }) } else { Ok(()) }
}

fn root_freshness(root: &TrustRoot, now: Timestamp) -> Result<(), Stale> {
    if root.is_expired(now) { Err(Stale::Root { version: root.version, expires: root.expires }) } else { Ok(()) }
}

/// Opens a pointer under the keys that `root` has for the region, and holds it against the newest one accepted before.
///
/// # Errors
/// [`NotAccepted`]: what is in force stays in force.
pub fn accept(
    bytes: Bytes,
    root: &TrustRoot,
    seen: Option<&Seen>,
    place: (&App, &Region),
    limits: &Limits,
) -> Result<(Verified<Pointer>, Succession), NotAccepted> {
    let pointer = Verified::<Pointer>::open(bytes, root.pointer_keys(place.1), limits)?;
    let succession = succeed(seen, &pointer, place, root.epoch, limits)?;
    Ok((pointer, succession))
}

/// Applies every rule, in order.
///
/// What is trusted moves as far as the rules held: a root that was reached stays reached although the pointer is refused, and a
/// pointer that was accepted is remembered although its manifest is refused.
///
/// # Errors
/// The [`Refusal`] of the first rule that is broken.
pub fn admit(
    trusted: &mut Trusted,
    offer: Offer,
    place: (&App, &Region),
    clock: Timestamp,
    limits: &Limits,
) -> Result<Admitted, Refusal> {
    for (hop, bytes) in offer.roots.into_iter().enumerate() {
        if hop as u64 >= limits.root_hops_max {
            return Err(Refusal::Hops { max: limits.root_hops_max });
        }
        trusted.root = trusted.root.successor(bytes, limits)?;
    }
    // A stolen pointer key can sign from any time, so a new epoch drops that with the generations of the old one.
    if trusted.seen.is_some_and(|seen| seen.order.epoch < trusted.root.epoch) {
        trusted.floor = None;
    }
    let now = time(clock, trusted.floor);
    root_freshness(&trusted.root, now)?;
    let (pointer, succession) = accept(offer.pointer, &trusted.root, trusted.seen.as_ref(), place, limits)?;
    trusted.seen = Some(Seen::of(&pointer));
    trusted.floor = trusted.floor.max(Some(pointer.issued));
    freshness(&trusted.root, &pointer, time(now, trusted.floor))?;
    let manifest = vouch(offer.manifest, &trusted.root, place.0, pointer.stable, limits)?;
    Ok(Admitted { pointer, succession, manifest })
}

/// Says which rule an offer breaks.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Rule 2: a root does not follow the one in force.
    #[error("the chain of trust roots breaks")]
    Chain(#[from] NotSuccessor),
    /// Rule 2: more roots than one cycle walks.
    #[error("more than {max} trust roots in one cycle")]
    Hops {
        /// The limit.
        max: u64,
    },
    /// Rules 3 and 6: hold, and say so.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// Rules 4 and 5: the pointer is not the next one.
    #[error("the pointer is refused")]
    Pointer(#[from] NotAccepted),
    /// Rule 7: nobody vouches for the bundle.
    #[error("the manifest is refused")]
    Manifest(#[from] NotVouched),
}

impl Refusal {
    /// The number of the rule.
    pub fn rule(&self) -> u8 {
        match self {
            Refusal::Chain(_) | Refusal::Hops { .. } => 2,
            Refusal::Stale(Stale::Root { .. }) => 3,
            Refusal::Pointer(NotAccepted::Seal(_))
            | Refusal::Pointer(NotAccepted::Succession(
                succession::Refusal::MixAndMatch { .. } | succession::Refusal::WrongEpoch { .. },
            )) => 4,
            Refusal::Pointer(NotAccepted::Succession(_)) => 5,
            Refusal::Stale(Stale::Pointer { .. }) => 6,
            Refusal::Manifest(_) => 7,
        }
    }
}

/// Says what expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// The trust root.
    #[error("trust root version {version} expired at {expires}")]
    Root {
        /// Its version.
        version: u64,
        /// From when on it holds.
        expires: Timestamp,
    },
    /// The pointer.
    #[error("the pointer expired at {expires}")]
    Pointer {
        /// From when on it is stale.
        expires: Timestamp,
    },
}

/// Says why a pointer was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// Not signed by those who may.
    #[error("its seal does not hold")]
    Seal(#[from] SealError),
    /// Signed, and still not the next one.
    #[error(transparent)]
    Succession(#[from] succession::Refusal),
}

#[cfg(all(test, feature = "sign"))]
mod tests;
