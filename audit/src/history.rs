//! One app in one region: whether its records follow one another without a gap, and whether the pointer is the newest.
//!
//! In: the records as they stand, the pointer, and the chain of roots. Out: what every record names, and what is wrong. Pure, and
//! slow: it checks the signatures of every record.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::Bytes;
use schema::succession::succeed;
use schema::{
    App, Digest, Generation, Limits, Order, Pointer, Region, Sealed, Seen, Serial, StorePath, Target, Timestamp,
    Verified,
};

use crate::chain::{Chain, Signed};
use crate::finding::{Finding, Flaw, Named, missing};

/// What a history holds together.
#[derive(Debug)]
pub(crate) struct History {
    /// The newest pointer whose signature held.
    pub(crate) newest: Option<Verified<Pointer>>,
    /// What its pointers name.
    pub(crate) targets: BTreeMap<(Digest, Digest), Age>,
    pub(crate) findings: Vec<Finding>,
}

/// Whether the trusted roots can be expected to vouch for what a record names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Age {
    /// It was made under the given root or one after it.
    #[default]
    SinceTheRoot,
    /// It was made before the given root was, under release keys that may not be known.
    BeforeTheRoot,
}

/// Judges the history of `place`.
pub(crate) fn judge(
    chain: &Chain,
    place: (&App, &Region),
    records: &BTreeMap<Order, Bytes>,
    pointer: Option<&Bytes>,
    now: Timestamp,
) -> History {
    let mut history = History { newest: None, targets: BTreeMap::new(), findings: Vec::new() };
    let mut before: Option<Record> = None;
    // Version of the oldest root that the newest keys so far can be of.
    let mut keys_of = 0;
    for (order, believed) in believe(chain, place, records) {
        let path = record_at(place, order);
        let record = match believed {
            Ok(record) => record,
            Err(flaw) => {
                history.findings.push(Finding::new(path, flaw));
                before = None;
                continue;
            }
        };
        match &record.proof {
            Proof::Signed(Signed { newest, .. }) if *newest < keys_of => {
                let flaw = Flaw::Superseded { newest: *newest, replaced: keys_of };
                history.findings.push(Finding::new(&path, flaw));
            }
            Proof::Signed(Signed { oldest, .. }) => keys_of = keys_of.max(*oldest),
            Proof::HeldByNewer(_) => history.findings.push(Finding::new(&path, Flaw::BeforeTheRoot)),
        }
        if let Some(flaw) = follows(before.as_ref(), &record, records, place) {
            history.findings.push(Finding::new(&path, flaw));
        }
        let age = record.age(chain);
        for target in targets(record.document()) {
            let eldest = history.targets.entry((target.digest, target.manifest)).or_default();
            *eldest = age.max(*eldest);
        }
        before = Some(record);
    }
    let newest = before.and_then(|last| match last.proof {
        Proof::Signed(signed) => Some(signed),
        Proof::HeldByNewer(_) => None,
    });
    history.findings.extend(judge_pointer(chain, place, records, pointer, newest.as_ref(), now));
    history.newest = newest.map(|newest| newest.pointer);
    history
}

/// A record that is believed, and why.
struct Record {
    payload: Digest,
    proof: Proof,
}

enum Proof {
    /// Its signatures hold.
    Signed(Signed),
    /// A newer record names its payload.
    HeldByNewer(Pointer),
}

impl Record {
    fn document(&self) -> &Pointer {
        match &self.proof {
            Proof::Signed(signed) => &signed.pointer,
            Proof::HeldByNewer(document) => document,
        }
    }

    fn age(&self, chain: &Chain) -> Age {
        let given = chain.given();
        let is_older = match &self.proof {
            // Pointer keys may outlive a rotation of release keys, so their signature alone does not tell.
            Proof::Signed(signed) => given.version > 1 && signed.pointer.issued < given.issued,
            Proof::HeldByNewer(_) => true,
        };
        if is_older { Age::BeforeTheRoot } else { Age::SinceTheRoot }
    }
}

/// What is believed of each record, oldest first. From the newest down, since each that is believed holds the one before it.
fn believe(
    chain: &Chain,
    place: (&App, &Region),
    records: &BTreeMap<Order, Bytes>,
) -> BTreeMap<Order, Result<Record, Flaw>> {
    let mut held = BTreeSet::new();
    let newest_first = records.iter().rev().map(|(order, bytes)| {
        let record = read(chain, place, *order, bytes, &held);
        held.extend(record.as_ref().ok().and_then(|record| record.document().prev));
        (*order, record)
    });
    newest_first.collect()
}

fn read(
    chain: &Chain,
    place: (&App, &Region),
    order: Order,
    bytes: &Bytes,
    held: &BTreeSet<Digest>,
) -> Result<Record, Flaw> {
    let record = match chain.open_pointer(bytes, place.1, order.epoch) {
        Ok(signed) => Record { payload: signed.pointer.payload_digest(), proof: Proof::Signed(signed) },
        Err(refused) => {
            let sealed = Sealed::parse::<Pointer>(bytes.clone(), &Limits::DEFAULT)?;
            let payload = sealed.payload_digest();
            // Of a record of before the given root the keys may not be known, but its digest is.
            if chain.given().version == 1 || !held.contains(&payload) {
                return Err(refused);
            }
            Record { payload, proof: Proof::HeldByNewer(sealed.held_by_digest()?) }
        }
    };
    let found = record.document();
    if (&found.app, &found.region) != place {
        return Err(Flaw::OtherPlace { app: found.app.clone(), region: found.region.clone() });
    }
    if found.order() != order {
        return Err(Flaw::OtherRecord { found: found.order() });
    }
    Ok(record)
}

/// Whether `record` is what comes right after `before`.
fn follows(
    before: Option<&Record>,
    record: &Record,
    records: &BTreeMap<Order, Bytes>,
    place: (&App, &Region),
) -> Option<Flaw> {
    let document = record.document();
    let order = document.order();
    let is_first_of_epoch = order.generation == Generation::FIRST && order.serial == Serial::FIRST;
    let Some(before) = before else {
        // Where the record before is damaged, that was told; the first one of all has to be a first one.
        let is_first = records.keys().next() == Some(&order);
        return (is_first && !(is_first_of_epoch && document.prev.is_none())).then_some(Flaw::NoBeginning);
    };
    let last = before.document().order();
    let begins_epoch = last.epoch < order.epoch && is_first_of_epoch;
    if Some(order) != last.next_serial() && Some(order) != last.next_generation() && !begins_epoch {
        return Some(Flaw::Gap { before: last });
    }
    if let Proof::Signed(signed) = &record.proof {
        let seen = Seen { order: last, payload: before.payload, manifest: before.document().stable.manifest };
        if let Err(refused) = succeed(Some(&seen), &signed.pointer, place, order.epoch, &Limits::DEFAULT) {
            return Some(refused.into());
        }
    }
    let named = Named(document.prev);
    (named.0 != Some(before.payload)).then_some(Flaw::Link { named, found: before.payload })
}

fn judge_pointer(
    chain: &Chain,
    place: (&App, &Region),
    records: &BTreeMap<Order, Bytes>,
    pointer: Option<&Bytes>,
    newest: Option<&Signed>,
    now: Timestamp,
) -> Vec<Finding> {
    let path = StorePath::Pointer { app: place.0.clone(), region: place.1.clone() };
    let Some(bytes) = pointer else { return vec![missing(&path)] };
    let stands = match Sealed::parse::<Pointer>(bytes.clone(), &Limits::DEFAULT) {
        Err(refused) => Some(Flaw::from(refused)),
        Ok(sealed) => match (newest, records.iter().find(|(_, record)| *record == bytes)) {
            (Some(Signed { pointer: newest, .. }), Some((order, _))) if *order != newest.order() => {
                let by = records.range((Bound::Excluded(*order), Bound::Unbounded)).count();
                Some(Flaw::Behind { found: *order, newest: newest.order(), by })
            }
            (Some(Signed { pointer: newest, .. }), Some(_)) if newest.is_expired(now) => {
                Some(Flaw::Expired { expires: newest.expires })
            }
            (_, Some(_)) => None,
            // Same payload, other signatures: still not the bytes of the record, which exactly one publisher made.
            (_, None) => Some(Flaw::NoRecord { found: sealed.payload_digest() }),
        },
    };
    // A newer root may be there and no pointer under it yet: agents hold until one comes.
    let root = chain.newest();
    let outlived = newest.and_then(|signed| match signed {
        Signed { pointer, .. } if pointer.epoch < root.epoch => Some(Flaw::OldEpoch { root: root.epoch }),
        Signed { newest, .. } if *newest < root.version => Some(Flaw::OldKeys { newest: *newest }),
        _ => None,
    });
    [stands, outlived].into_iter().flatten().map(|flaw| Finding::new(&path, flaw)).collect()
}

/// What agents may run because of `pointer`.
pub(crate) fn targets(pointer: &Pointer) -> impl Iterator<Item = Target> {
    [Some(pointer.stable), pointer.candidate.as_ref().map(|candidate| candidate.target)].into_iter().flatten()
}

pub(crate) fn record_at(place: (&App, &Region), order: Order) -> StorePath {
    StorePath::History { app: place.0.clone(), region: place.1.clone(), order }
}
