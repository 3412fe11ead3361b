//! What one app's region ran: its pointers, newest first, each verified.
//!
//! In: the store's history records. Out: [`HistoryRecord`]s for people and for a rollback to choose from. Only reads.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use schema::pointer::{Candidate, Cause};
use schema::{App, CommitId, Digest, Order, Pointer, Region, Serial, Timestamp, Verified};
use store::Store;

use crate::kind::ErrorKind;
use crate::region::{self, NotThePointer, RegionFault};
use crate::trust::Chain;

/// How many records are read at a time.
const AT_A_TIME: usize = 8;

/// One pointer that a region had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRecord {
    /// Its place in order.
    pub order: Order,
    /// The bundle that it named.
    pub digest: Digest,
    /// The commit that it named.
    pub commit: CommitId,
    /// When it was signed.
    pub issued: Timestamp,
    /// Until when it counted.
    pub expires: Timestamp,
    /// What it was for.
    pub kind: RecordKind,
    /// The bundles that were taken back by hand at that time.
    pub withdrawn: Vec<Digest>,
    /// The bundle that was being rolled out at that time, and to whom.
    pub candidate: Option<Candidate>,
    /// Whether everyone stayed on what they ran.
    pub freeze: bool,
    /// Who made this generation, and why, where it was not simply the next commit.
    pub cause: Option<Cause>,
}

/// What a pointer was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A commit's bundle, as a new generation.
    Publish,
    /// An earlier bundle, as a new generation, by hand.
    Rollback,
    /// The same generation, signed afresh.
    Refresh,
}

/// Which records of a history are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One for each generation: what changed.
    Changes,
    /// Every pointer, those that were only signed afresh included.
    Everything,
}

/// Says why a region's history cannot be shown.
#[derive(Debug, thiserror::Error)]
#[error("history of app `{app}` in region `{region}` cannot be read")]
pub struct HistoryError {
    /// The app.
    pub app: App,
    /// The region.
    pub region: Region,
    /// Why.
    #[source]
    pub fault: RegionFault,
}

impl HistoryError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        self.fault.kind()
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        self.fault.hint()
    }
}

/// Reads the `newest` last pointers of a region that are within `scope`, newest first.
///
/// Records of an earlier epoch are verified by the roots of that time, as far as `roots` reaches back; where it does not, the
/// history ends early.
///
/// # Errors
/// [`HistoryError`] where the store fails, or a record is not what it must be.
pub async fn history(
    store: &Store,
    roots: &Chain,
    app: &App,
    region: &Region,
    scope: Scope,
    newest: usize,
) -> Result<Vec<HistoryRecord>, HistoryError> {
    let read = async {
        let orders = store.history_after(app, region, None).await?;
        let wanted = |order: &Order| scope == Scope::Everything || order.serial == Serial::FIRST;
        let orders = orders.into_iter().rev().filter(wanted).take(newest);
        let records = records(store, roots, (app, region), orders);
        records.map_ok(|pointer| HistoryRecord::of(&pointer)).try_collect().await
    };
    read.await.map_err(|fault| HistoryError { app: app.clone(), region: region.clone(), fault })
}

/// Reads records in the order given, as far as the trust root vouches for them.
pub(crate) fn records<'h>(
    store: &'h Store,
    roots: &'h Chain,
    place: (&'h App, &'h Region),
    orders: impl Iterator<Item = Order> + Send + 'h,
) -> impl stream::Stream<Item = Result<Verified<Pointer>, RegionFault>> + Send + 'h {
    let reads = orders.map(move |order| async move {
        match region::record(store, roots, place, order).await {
            // Of an epoch that is over, only what keys of that time signed is believed.
            Err(RegionFault::Damaged { .. }) if order.epoch < roots.newest().epoch => Ok(None),
            // Older than the roots at hand, or planted: what is before it is not shown either way.
            Err(RegionFault::Damaged { source: NotThePointer::SignersUnknown { .. }, .. }) => Ok(None),
            Ok(None) => Err(RegionFault::Contested { tries: 1 }),
            read => Ok(read?.map(|vouched| vouched.pointer)),
        }
    });
    stream::iter(reads)
        .buffered(AT_A_TIME)
        .try_take_while(|record| std::future::ready(Ok(record.is_some())))
        .try_filter_map(|record| std::future::ready(Ok(record)))
}

impl HistoryRecord {
    fn of(pointer: &Pointer) -> HistoryRecord {
        // Going forward clears what was withdrawn, and going back always leaves something behind.
        let kind = match (pointer.serial == Serial::FIRST, pointer.withdrawn.is_empty()) {
            (false, _) => RecordKind::Refresh,
            (true, true) => RecordKind::Publish,
            (true, false) => RecordKind::Rollback,
        };
        HistoryRecord {
            order: pointer.order(),
            digest: pointer.stable.digest,
            commit: pointer.commit.clone(),
            issued: pointer.issued,
            expires: pointer.expires,
            kind,
            withdrawn: pointer.withdrawn.clone(),
            candidate: pointer.candidate.clone(),
            freeze: pointer.freeze,
            cause: pointer.cause.clone(),
        }
    }
}
