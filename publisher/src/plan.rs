//! Decides what one region needs: nothing, a fresh signature, or a new generation.
//!
//! In: the newest pointer of the region, the digest that the tip asks for, the epoch in force and `now`. Out: one [`Plan`].
//! Knows nothing of stores, bundles or keys; a plan that is out of date by the time it is carried out loses the race for
//! its history record and is made again.

mod way;

use std::time::Duration;

use schema::{Digest, Epoch, Generation, Order, Pointer, Serial, Timestamp};

pub use way::{Held, Past, Way, policy_in_force, way};

/// How long pointers count and how often they are signed afresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// From signing to expiry.
    pub valid_for: Duration,
    /// How old a pointer may grow before it is signed afresh; shorter than `valid_for`.
    pub refresh_every: Duration,
}

/// Whether agents still believe a pointer that was signed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vouching {
    /// The trust root in force vouches for it.
    InForce,
    /// Only a root before it does: the keys were rotated, or an epoch began.
    Superseded,
}

/// What to do about one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The region has the bundle, under a pointer that is young enough.
    Unchanged,
    /// The newest pointer is to be said again as it is, under this order.
    Refresh {
        /// The next serial, or the first order of a new epoch.
        order: Order,
    },
    /// An operator took this bundle back by hand, so it is not published again.
    Blocked {
        /// The order under which to say the newest pointer again, where that is due.
        refresh: Option<Order>,
    },
    /// The region is to run the bundle as a new generation, by whichever [`Way`].
    Publish {
        /// The order of that generation.
        order: Order,
        /// The order under which to say the newest pointer again, where that is due and the bundle has to wait.
        refresh: Option<Order>,
    },
}

/// Says that a region's counter cannot grow any more; only a new epoch starts it anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no order follows {newest}")]
pub struct OrdersUsedUp {
    /// The last order there can be.
    pub newest: Order,
}

/// Plans one region whose tip asks for `digest`.
///
/// `newest` is the region's newest pointer, of this `epoch` or an older one, and whether agents still believe it. A region whose
/// bundle does not change gets no new generation, except where an epoch begins: agents refuse pointers of the old one.
///
/// # Errors
/// [`OrdersUsedUp`] where the next number does not exist.
pub fn plan(
    newest: Option<(&Pointer, Vouching)>,
    digest: &Digest,
    epoch: Epoch,
    now: Timestamp,
    freshness: &Freshness,
) -> Result<Plan, OrdersUsedUp> {
    let Some((newest, vouching)) = newest else {
        return Ok(Plan::Publish { order: first_of(epoch), refresh: None });
    };
    let is_due = vouching == Vouching::Superseded || is_due(newest, epoch, now, freshness);
    let refresh = || is_due.then(|| refreshed(newest, epoch)).transpose();
    if newest.stable.digest == *digest {
        return Ok(refresh()?.map_or(Plan::Unchanged, |order| Plan::Refresh { order }));
    }
    if newest.withdrawn.contains(digest) {
        return Ok(Plan::Blocked { refresh: refresh()? });
    }
    Ok(Plan::Publish { order: following(newest, epoch)?, refresh: refresh()? })
}

/// The order of a change after `newest`: the next generation, or the first order of a new epoch.
///
/// # Errors
/// [`OrdersUsedUp`] after the last generation there can be.
pub fn following(newest: &Pointer, epoch: Epoch) -> Result<Order, OrdersUsedUp> {
    in_epoch(newest, epoch, Order::next_generation)
}

fn refreshed(newest: &Pointer, epoch: Epoch) -> Result<Order, OrdersUsedUp> {
    in_epoch(newest, epoch, Order::next_serial)
}

fn in_epoch(newest: &Pointer, epoch: Epoch, next: fn(Order) -> Option<Order>) -> Result<Order, OrdersUsedUp> {
    let order = newest.order();
    // An epoch starts its generations anew: that is what makes a stolen key's jump to the last number recoverable.
    if order.epoch < epoch { Ok(first_of(epoch)) } else { next(order).ok_or(OrdersUsedUp { newest: order }) }
}

fn first_of(epoch: Epoch) -> Order {
    Order { epoch, generation: Generation::FIRST, serial: Serial::FIRST }
}

fn is_due(newest: &Pointer, epoch: Epoch, now: Timestamp, freshness: &Freshness) -> bool {
    newest.epoch < epoch || newest.is_expired(now) || now.since(newest.issued) >= freshness.refresh_every
}

#[cfg(test)]
mod tests;
