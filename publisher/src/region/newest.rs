//! Which of a region's records is the newest that counts, where keys may have changed since.
//!
//! In: the orders in its history, and the roots. Out: the newest record that a root of its own epoch vouches for. In the epoch in
//! force every record counts or is in the way. Of an epoch that is over, what nobody vouches for is passed over: the key was
//! stolen or lost, that is why it is over. And keys that were replaced say nothing new after those that replaced them: what they
//! merely repeat may come from a publisher that nobody gave the new key while both counted.

use schema::{App, Order, Pointer, Region, Serial, StorePath, Timestamp, Verified};

use super::{NotThePointer, RegionFault, record};
use crate::plan::Vouching;
use crate::publisher::Publisher;
use crate::trust::Vouched;

/// How many records are looked at, newest first, where the newest do not decide it. Whoever plants more than that in an epoch
/// that is over makes a region begin the next one without what the last one had set.
const LOOKED_AT_MAX: usize = 1000;

/// The newest record among `newer`, which are the orders after `known` or all there are.
pub(super) async fn believed(
    publisher: &Publisher,
    place: (&App, &Region),
    known: Option<Verified<Pointer>>,
    newer: Vec<Order>,
) -> Result<Option<(Verified<Pointer>, Vouching)>, RegionFault> {
    let mut older = newer.into_iter().rev().take(LOOKED_AT_MAX);
    let epoch = publisher.root().epoch;
    let newest = loop {
        let Some(order) = older.next() else { return Ok(known.map(|known| (known, Vouching::InForce))) };
        match record(&publisher.store, &publisher.roots, place, order).await {
            Ok(Some(vouched)) => break vouched,
            // It was listed a moment ago, so its absence does not mean that there is no history.
            Ok(None) => return Err(RegionFault::Contested { tries: 1 }),
            Err(RegionFault::Damaged { .. }) if order.epoch < epoch => {}
            Err(fault) => return Err(fault),
        }
    };
    if newest.vouching == Vouching::Superseded && publisher.roots.rotated_within(newest.pointer.epoch, place.1) {
        check_speaks_first(publisher, place, known.as_deref(), &newest, older).await?;
    }
    Ok(Some((newest.pointer, newest.vouching)))
}

/// Refuses `newest`, which keys out of force signed, if it says something else than what newer keys had signed before it.
async fn check_speaks_first(
    publisher: &Publisher,
    (app, region): (&App, &Region),
    known: Option<&Pointer>,
    newest: &Vouched,
    older: impl Iterator<Item = Order>,
) -> Result<(), RegionFault> {
    let Vouched { pointer, version, .. } = newest;
    let judge = |before: &Pointer| {
        if says_the_same(before, pointer) {
            return Ok(());
        }
        let object = StorePath::History { app: app.clone(), region: region.clone(), order: pointer.order() };
        Err(RegionFault::Damaged { object: Box::new(object), source: NotThePointer::Superseded { version: *version } })
    };
    if let Some(known) = known {
        return judge(known);
    }
    // What this publisher remembers comes first: no number of planted records gets between it and what it stands for.
    let remembered = publisher.remembered.get(&(app.clone(), region.clone())).copied();
    let remembered = remembered.into_iter().filter(|order| *order < pointer.order());
    for order in remembered.chain(older).filter(|order| order.epoch == pointer.epoch) {
        match record(&publisher.store, &publisher.roots, (app, region), order).await {
            Ok(Some(before)) if before.version > *version => return judge(&before.pointer),
            Err(RegionFault::Store(error)) => return Err(error.into()),
            // Damaged, or by the same keys: neither tells that these were out of force.
            _ => {}
        }
    }
    Ok(())
}

/// Whether two pointers differ in nothing but when and by whom they were signed.
fn says_the_same(one: &Pointer, other: &Pointer) -> bool {
    let unsigned = |pointer: &Pointer| Pointer {
        serial: Serial::FIRST,
        issued: Timestamp::UNIX_EPOCH,
        expires: Timestamp::UNIX_EPOCH,
        prev: None,
        ..pointer.clone()
    };
    unsigned(one) == unsigned(other)
}
