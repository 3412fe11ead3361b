//! What one app's region is at, read from the store, and set right where the pointer lags behind its history.
//!
//! In: the pointer object and the history records after it. Out: the newest pointer, verified, and where it stands. History
//! is the authority: a record is created once and never changes, while a pointer can be lost, or overwritten by a slow
//! writer. A record whose pointer was never moved (its publisher died in between) is finished by the same repair.
//!
//! Knows nothing of commits or bundles. A store that fails is an error here and never an empty region, since a region that
//! started again at generation 1 would be refused by every agent in it. Nor is a region empty that had a pointer before, as
//! far as this publisher remembers.

mod error;
mod newest;

use bytes::Bytes;
use schema::{App, Limits, Order, Pointer, Region, StorePath, TrustRoot, Verified};
use store::{Created, Failure, Object, PointerWrite, Store};

pub(crate) use error::older_root;
pub use error::{NotThePointer, RegionError, RegionFault};

use crate::plan::Vouching;
use crate::publisher::Publisher;
use crate::trust::{Chain, Vouched};

/// How often a repair is tried against others that write.
const TRIES: u32 = 8;

/// What a region is at.
#[derive(Debug)]
pub(crate) struct RegionState {
    pub(crate) app: App,
    pub(crate) region: Region,
    /// The newest pointer ever recorded; none before the first, and none that no root of its epoch vouches for.
    pub(crate) newest: Option<Verified<Pointer>>,
    /// Whether agents still believe it.
    pub(crate) vouching: Vouching,
    /// What stands at the pointer's path.
    served: Option<Object>,
}

impl RegionState {
    pub(crate) fn error(&self, fault: impl Into<RegionFault>) -> RegionError {
        RegionError { app: self.app.clone(), region: self.region.clone(), fault: fault.into() }
    }

    /// The newest pointer, where a plan says that there is one.
    pub(crate) fn standing(&self) -> &Verified<Pointer> {
        self.newest.as_ref().expect("nothing is signed afresh, blocked or taken back where no pointer stands")
    }

    /// What a plan is made from.
    pub(crate) fn to_plan(&self) -> Option<(&Pointer, Vouching)> {
        self.newest.as_deref().map(|newest| (newest, self.vouching))
    }

    /// What stood at the pointer's path when it was last looked at: what the next pointer is to replace.
    pub(crate) fn into_served(self) -> Option<Object> {
        self.served
    }

    fn is_settled(&self) -> bool {
        let Some(newest) = &self.newest else { return true };
        // No agent believes a superseded one, so putting it back helps nobody: the next pointer takes its place.
        self.vouching == Vouching::Superseded
            || self.served.as_ref().is_some_and(|served| served.bytes == newest.bytes())
    }
}

/// Reads a region and makes its pointer the newest record, if it is not.
///
/// # Errors
/// [`RegionError`]; the region keeps what it has.
pub(crate) async fn settle(publisher: &Publisher, app: &App, region: &Region) -> Result<RegionState, RegionError> {
    let stays = |fault| RegionError { app: app.clone(), region: region.clone(), fault };
    for _ in 0..TRIES {
        let state = look(publisher, app, region).await?;
        if state.is_settled() {
            return Ok(state);
        }
        let RegionState { newest: Some(newest), served, .. } = state else {
            unreachable!("only a region with a newest pointer is unsettled")
        };
        tracing::warn!(%app, %region, "Pointer of app {app} in {region} is lost or stale, restoring {}", newest.order());
        // Read again afterwards: a record that came in the meantime is newer than what was just written.
        point(publisher, &newest, served).await.map_err(stays)?;
    }
    Err(stays(RegionFault::Contested { tries: TRIES }))
}

/// Reads a region and repairs no pointer.
///
/// # Errors
/// [`RegionError`].
pub(crate) async fn look(publisher: &Publisher, app: &App, region: &Region) -> Result<RegionState, RegionError> {
    let stays = |fault| RegionError { app: app.clone(), region: region.clone(), fault };
    read(publisher, app, region).await.map_err(stays)
}

/// Writes the pointer as the bytes of `record`, unless a newer pointer stands there by then.
///
/// `record` is in the history, so this only ever finishes or repeats what was decided when it was created.
pub(crate) async fn point(
    publisher: &Publisher,
    record: &Verified<Pointer>,
    mut seen: Option<Object>,
) -> Result<(), RegionFault> {
    let (app, region) = (&record.app, &record.region);
    for _ in 0..TRIES {
        match publisher.store.write_pointer(app, region, record.bytes().clone(), seen.as_ref()).await? {
            PointerWrite::Written => return Ok(()),
            PointerWrite::LostRace(Some(object)) if object.bytes == record.bytes() => return Ok(()),
            PointerWrite::LostRace(standing) => {
                let overtaken = standing.as_ref().is_some_and(|object| {
                    let standing = open_pointer(publisher.root(), app, region, object.bytes.clone());
                    standing.is_ok_and(|standing| standing.order() > record.order())
                });
                if overtaken {
                    return Ok(());
                }
                // An older pointer, or none: the writer before us was slow, and our turn comes again.
                seen = standing;
            }
        }
    }
    Err(RegionFault::Contested { tries: TRIES })
}

/// Opens a pointer as an agent of the region would.
pub(crate) fn open_pointer(
    root: &TrustRoot,
    app: &App,
    region: &Region,
    bytes: Bytes,
) -> Result<Verified<Pointer>, NotThePointer> {
    let pointer = Verified::<Pointer>::open(bytes, root.pointer_keys(region), &Limits::DEFAULT)?;
    if (&pointer.app, &pointer.region) != (app, region) {
        return Err(NotThePointer::Elsewhere { app: pointer.app.clone(), region: pointer.region.clone() });
    }
    Ok(pointer)
}

async fn read(publisher: &Publisher, app: &App, region: &Region) -> Result<RegionState, RegionFault> {
    let path = StorePath::Pointer { app: app.clone(), region: region.clone() };
    let served = read_object(&publisher.store, &path).await?;
    let opened = served.as_ref().map(|object| publisher.roots.open_pointer(app, region, None, object.bytes.clone()));
    let (known, damage) = match opened {
        Some(Ok(Vouched { pointer, vouching: Vouching::InForce, .. })) => (Some(pointer), None),
        // What keys that are out of force say is held against all of the history.
        Some(Ok(Vouched { version, .. })) => (None, Some(NotThePointer::Superseded { version })),
        Some(Err(damage)) => (None, Some(damage)),
        None => (None, None),
    };
    let newer = publisher.store.history_after(app, region, known.as_ref().map(|known| known.order())).await?;
    let newest = match (newer.is_empty(), known, damage) {
        (false, known, _) => newest::believed(publisher, (app, region), known, newer).await?,
        (true, Some(known), _) => Some((confirmed(publisher, known).await?, Vouching::InForce)),
        // Nothing in the history says what it should be, and "nothing" is not what stands here.
        (true, None, Some(source)) => return Err(RegionFault::Damaged { object: Box::new(path), source }),
        (true, None, None) => match publisher.remembered.get(&(app.clone(), region.clone())) {
            Some(order) => return Err(RegionFault::Vanished { order: *order }),
            None => None,
        },
    };
    if let Some((newest, _)) = &newest {
        check_goes_on(publisher, newest)?;
    }
    let (newest, vouching) = newest.map_or((None, Vouching::InForce), |(newest, vouching)| (Some(newest), vouching));
    Ok(RegionState { app: app.clone(), region: region.clone(), newest, vouching, served })
}

/// Holds the newest pointer that the store has against what this publisher remembers of the region, unless an epoch began since,
/// in which agents forget as well.
fn check_goes_on(publisher: &Publisher, newest: &Pointer) -> Result<(), RegionFault> {
    let remembered = publisher.remembered.get(&(newest.app.clone(), newest.region.clone())).copied();
    let Some(remembered) = remembered.filter(|order| order.epoch == publisher.root().epoch) else { return Ok(()) };
    let found = newest.order();
    if found < remembered {
        return Err(RegionFault::Rewound { found, remembered });
    }
    let ahead = found.generation.number() - remembered.generation.number();
    let is_too_far = ahead > Limits::DEFAULT.generation_jump_max;
    if is_too_far { Err(RegionFault::Jumped { found, remembered }) } else { Ok(()) }
}

/// Reads one record of the history; none where the store has none under this order.
pub(crate) async fn record(
    store: &Store,
    roots: &Chain,
    (app, region): (&App, &Region),
    order: Order,
) -> Result<Option<Vouched>, RegionFault> {
    let path = StorePath::History { app: app.clone(), region: region.clone(), order };
    let epoch = roots.newest().epoch;
    if order.epoch > epoch {
        return Err(RegionFault::NewerEpoch { object: Box::new(path), found: order.epoch, expected: epoch });
    }
    let Some(object) = read_object(store, &path).await? else { return Ok(None) };
    let opened = roots.open_pointer(app, region, Some(order.epoch), object.bytes).and_then(|vouched| {
        let found = vouched.pointer.order();
        if found == order { Ok(vouched) } else { Err(NotThePointer::OtherOrder(found)) }
    });
    opened.map(Some).map_err(|source| RegionFault::Damaged { object: Box::new(path), source })
}

/// Reads what stands at a pointer's or a record's path. What is too large to be either is damage, and no failure of the store.
async fn read_object(store: &Store, path: &StorePath) -> Result<Option<Object>, RegionFault> {
    store.read(path, Limits::DEFAULT.pointer_max_bytes).await.map_err(|error| match error.kind {
        Failure::TooLarge { size, max_bytes } => {
            RegionFault::Damaged { object: Box::new(path.clone()), source: NotThePointer::TooLarge { size, max_bytes } }
        }
        _ => error.into(),
    })
}

/// Holds a pointer that no record is newer than against its own record, which it must equal byte for byte.
async fn confirmed(publisher: &Publisher, known: Verified<Pointer>) -> Result<Verified<Pointer>, RegionFault> {
    let (app, region, order) = (&known.app, &known.region, known.order());
    if let Some(record) = record(&publisher.store, &publisher.roots, (app, region), order).await? {
        if record.pointer.payload_digest() != known.payload_digest() {
            tracing::error!(%app, %region, "Two pointers of app {app} in {region} are signed as {order}: somebody else holds a key");
        }
        return Ok(record.pointer);
    }
    if !publisher.duty.moves_pointers() {
        return Ok(known);
    }
    // The record was lost. A pointer is only ever written as the bytes of its record, so this is the record.
    tracing::warn!(%app, %region, "History record {order} of app {app} in {region} is lost, restoring it from the pointer");
    let path = StorePath::History { app: app.clone(), region: region.clone(), order };
    match publisher.store.create(&path, known.bytes().clone()).await? {
        Created::New | Created::Same => Ok(known),
        Created::Taken(_) => Err(RegionFault::Contested { tries: 1 }),
    }
}
