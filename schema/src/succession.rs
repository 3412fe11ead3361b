//! Decides whether an offered pointer may replace the one in force.
//!
//! In: what was durably remembered of the newest pointer accepted, and a pointer whose signatures held. Out: a
//! [`Succession`] or one [`Refusal`]. Knows nothing of HTTP, disks or clocks; whether a pointer is too old to act on is
//! [`Pointer::is_expired`](crate::Pointer::is_expired), asked by whoever acts. Agents and gateways decide by this one function.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::limits::Limits;
use crate::name::{App, Region};
use crate::order::{Epoch, Generation, Order};
use crate::pointer::Pointer;
use crate::seal::Verified;

/// What is remembered of the newest pointer that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its place in order.
    #[serde(flatten)]
    pub order: Order,
    /// Its payload digest.
    pub payload: Digest,
    /// The manifest that its stable target names.
    pub manifest: Digest,
}

impl Seen {
    /// What to remember of `pointer`.
    pub fn of(pointer: &Verified<Pointer>) -> Seen {
        Seen { order: pointer.order(), payload: pointer.payload_digest(), manifest: pointer.stable.manifest }
    }
}

/// How an acceptable pointer relates to the one in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succession {
    /// The very same payload.
    Same,
    /// The same generation, signed afresh.
    Resigned,
    /// A newer generation.
    Newer,
}

/// Says why a pointer may not replace the one in force. The names are those of the TUF specification's attacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Signed for another app or region.
    #[error("mix-and-match: the pointer is for app `{app}` in region `{region}`")]
    MixAndMatch {
        /// The app it is for.
        app: App,
        /// The region it is for.
        region: Region,
    },
    /// Signed in another epoch than the trust root's.
    #[error("epoch {offered} is not epoch {expected} of the trust root")]
    WrongEpoch {
        /// As offered.
        offered: Epoch,
        /// As the root says.
        expected: Epoch,
    },
    /// Older than what was accepted before.
    #[error("rollback: {offered} is older than {seen}")]
    Rollback {
        /// As offered.
        offered: Order,
        /// As remembered.
        seen: Order,
    },
    /// So far ahead that no honest publisher can have got there.
    #[error("fast-forward: generation {offered} is more than {max_jump} ahead of generation {seen}")]
    FastForward {
        /// As offered.
        offered: Generation,
        /// As remembered.
        seen: Generation,
        /// The limit.
        max_jump: u64,
    },
    /// Two signed pointers contradict each other: somebody else holds a key, or a publisher is broken.
    #[error("equivocation: payload {offered} contradicts payload {seen}, both signed as {order}")]
    Equivocation {
        /// Where both claim to stand; for two serials of one generation, the offered one.
        order: Order,
        /// Payload digest as offered.
        offered: Digest,
        /// Payload digest as remembered.
        seen: Digest,
    },
}

/// The rules, in the order of the threat model.
///
/// `expected` is whose pointer was asked for, `epoch` that of the trust root in force. With nothing remembered any
/// generation is a first one.
///
/// # Errors
/// The first [`Refusal`] that applies; what is in force stays.
pub fn succeed(
    seen: Option<&Seen>,
    offered: &Verified<Pointer>,
    expected: (&App, &Region),
    epoch: Epoch,
    limits: &Limits,
) -> Result<Succession, Refusal> {
    if (&offered.app, &offered.region) != expected {
        return Err(Refusal::MixAndMatch { app: offered.app.clone(), region: offered.region.clone() });
    }
    if offered.epoch != epoch {
        return Err(Refusal::WrongEpoch { offered: offered.epoch, expected: epoch });
    }
    // A new epoch drops the generations of the old one: that is how a stolen pointer key is recovered from.
    let Some(seen) = seen.filter(|seen| seen.order.epoch >= epoch) else {
        return Ok(Succession::Newer);
    };
    let order = offered.order();
    if order < seen.order {
        return Err(Refusal::Rollback { offered: order, seen: seen.order });
    }
    if order.generation.number() - seen.order.generation.number() > limits.generation_jump_max {
        return Err(Refusal::FastForward {
            offered: order.generation,
            seen: seen.order.generation,
            max_jump: limits.generation_jump_max,
        });
    }
    let payload = offered.payload_digest();
    let contradiction = Refusal::Equivocation { order, offered: payload, seen: seen.payload };
    if order == seen.order {
        return if payload == seen.payload { Ok(Succession::Same) } else { Err(contradiction) };
    }
    if seen.order.next_serial() == Some(order) && offered.prev != Some(seen.payload) {
        return Err(contradiction);
    }
    if !order.same_generation(seen.order) {
        return Ok(Succession::Newer);
    }
    if offered.stable.manifest == seen.manifest { Ok(Succession::Resigned) } else { Err(contradiction) }
}

#[cfg(all(test, feature = "sign"))]
mod tests;
