//! All tallies of this gateway, and what they may cost.
//!
//! In: batches of acks whose signatures held and whose pairs are on the board, and the time. Out: how many counted. What an ack says about a generation
//! on the board must fit it, so that invented generations and bundles do not crowd out real ones.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use schema::ack::SignedAck;
use schema::status::RegionSummary;
use schema::{Epoch, Generation, Timestamp, Verified};

use super::tally::{Recorded, Tally};
use crate::board::Board;
use crate::pair::Pair;

/// What the agents of this gateway said, for every app and region.
#[derive(Debug)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
    agents_max: usize,
}

#[derive(Debug)]
struct Books {
    pages: BTreeMap<Pair, Page>,
    /// Agents over all tallies.
    known: usize,
}

/// One tally, and its summary while that is up to date: status may be asked for more often than agents answer.
#[derive(Debug, Default)]
struct Page {
    tally: Tally,
    summary: Option<RegionSummary>,
}

/// How many acks of a batch changed something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) accepted: usize,
    /// Known already, older than what is known, or about what no pointer asked for.
    pub(crate) ignored: usize,
}

/// Says why a batch was not taken, or not all of it. Sending it again later is safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("more agents answer than this gateway counts")]
    Full,
    #[error("generation {generation} of `{}` in `{}` is newer than the one here", pair.app, pair.region)]
    Ahead { pair: Pair, generation: Generation },
}

impl Ledger {
    pub(crate) fn new(agents_max: usize) -> Ledger {
        let books = Books { pages: BTreeMap::new(), known: 0 };
        Ledger { books: Mutex::new(books), agents_max }
    }

    /// Counts a batch that came in at `now`.
    ///
    /// # Errors
    /// [`Refused`]; acks before the one that was refused are counted.
    pub(crate) fn take(&self, acks: &[Verified<SignedAck>], board: &Board, now: Timestamp) -> Result<Taken, Refused> {
        let mut books = self.books();
        let mut taken = Taken::default();
        for signed in acks {
            let ack = &signed.ack;
            let pair = Pair { app: ack.app.clone(), region: ack.region.clone() };
            let Some(slot) = board.slot(&pair) else {
                taken.ignored += 1;
                continue;
            };
            let posted = slot.posted();
            let order = posted.pointer().order();
            if (ack.epoch, ack.generation) > (order.epoch, order.generation) {
                return Err(Refused::Ahead { pair, generation: ack.generation });
            }
            let mark = posted.mark(ack.epoch, ack.generation);
            if mark.is_some_and(|mark| !mark.names(ack.attempted)) {
                taken.ignored += 1;
                continue;
            }
            match books.record(pair, signed, mark.map(|mark| mark.issued), now, self.agents_max)? {
                Recorded::First | Recorded::Newer => taken.accepted += 1,
                Recorded::Known => taken.ignored += 1,
            }
        }
        Ok(taken)
    }

    /// What the agents of `pair` said here.
    pub(crate) fn summary(&self, pair: &Pair) -> RegionSummary {
        let mut books = self.books();
        let Some(page) = books.pages.get_mut(pair) else { return RegionSummary::default() };
        page.summary.get_or_insert_with(|| page.tally.summary()).clone()
    }

    /// Forgets agents of `pair` that were not heard since `since` and are behind the generation in force.
    pub(crate) fn forget_silent(&self, pair: &Pair, since: Timestamp, in_force: (Epoch, Generation)) {
        let mut books = self.books();
        if let Some(page) = books.pages.get_mut(pair) {
            let before = page.tally.known();
            page.tally.forget_silent(since, in_force);
            page.summary = None;
            let forgotten = before - page.tally.known();
            books.known -= forgotten;
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn record(
        &mut self,
        pair: Pair,
        signed: &SignedAck,
        issued: Option<Timestamp>,
        now: Timestamp,
        agents_max: usize,
    ) -> Result<Recorded, Refused> {
        let page = self.pages.entry(pair).or_default();
        if self.known >= agents_max && !page.tally.knows(&signed.ack.agent) {
            return Err(Refused::Full);
        }
        let recorded = page.tally.record(signed, issued, now);
        if recorded != Recorded::Known {
            page.summary = None;
        }
        self.known += usize::from(recorded == Recorded::First);
        Ok(recorded)
    }
}
