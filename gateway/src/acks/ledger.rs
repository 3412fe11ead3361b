//! All tallies of this gateway, and what they may cost.
//!
//! In: batches of acks whose signatures held and whose pairs are on the board, and the time. Out: how many counted. What an ack says about a generation
//! on the board must fit it, so that invented generations and bundles do not crowd out real ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schema::ack::{Relay, SignedAck};
use schema::status::RegionSummary;
use schema::{AckBatch, AgentId, AgentReport, Epoch, Generation, Outcome, PublicKey, Timestamp, Verified};
use tokio::sync::watch;

use super::outbox::{Outbox, Speaker};
use super::tally::{Came, Recorded, Tally};
use super::word::Word;
use crate::board::Board;
use crate::pair::Pair;

/// What the agents of this gateway said, for every app and region.
#[derive(Debug)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
    agents_max: usize,
    seals: Seals,
    /// Sent whenever an agent says something else than before.
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct Books {
    pages: BTreeMap<Pair, Page>,
    /// Agents over all tallies.
    known: usize,
    outbox: Outbox,
}

/// Whether words are kept as they were signed, to be sent along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seals {
    Kept,
    Dropped,
}

/// One tally, and its summary while that is up to date: status may be asked for more often than agents answer.
#[derive(Debug, Default)]
struct Page {
    tally: Tally,
    summary: Option<RegionSummary>,
}

/// A body for the upstream, and whose words are in it, part by part.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    pub(crate) relay: Relay,
    pub(crate) speakers: Vec<Speaker>,
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
    pub(crate) fn new(agents_max: usize, seals: Seals) -> Ledger {
        let books = Books { pages: BTreeMap::new(), known: 0, outbox: Outbox::default() };
        Ledger { books: Mutex::new(books), agents_max, seals, changes: watch::Sender::new(()) }
    }

    /// Tells of every change of what agents say, from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Counts a batch that came in at `now`.
    ///
    /// # Errors
    /// [`Refused`]; acks before the one that was refused are counted.
    pub(crate) fn take(&self, batch: &AckBatch, board: &Board, now: Timestamp, came: Came) -> Result<Taken, Refused> {
        let mut taken = Taken::default();
        let mut changed = false;
        let outcome = batch.acks.iter().try_for_each(|signed| {
            let recorded = self.take_one((&batch.key, signed), board, now, came)?;
            changed |= matches!(recorded, Some(Recorded::First | Recorded::Newer));
            match recorded {
                Some(Recorded::First | Recorded::Newer | Recorded::Again) => taken.accepted += 1,
                Some(Recorded::Known) | None => taken.ignored += 1,
            }
            Ok(())
        });
        if changed {
            self.changes.send_replace(());
        }
        outcome.map(|()| taken)
    }

    /// Nothing comes of an ack about what no pointer asked for.
    fn take_one(
        &self,
        (key, signed): (&PublicKey, &Verified<SignedAck>),
        board: &Board,
        now: Timestamp,
        came: Came,
    ) -> Result<Option<Recorded>, Refused> {
        let ack = &signed.ack;
        let pair = Pair { app: ack.app.clone(), region: ack.region.clone() };
        let Some(slot) = board.slot(&pair) else { return Ok(None) };
        let posted = slot.posted();
        let order = posted.pointer().order();
        if (ack.epoch, ack.generation) > (order.epoch, order.generation) {
            return Err(Refused::Ahead { pair, generation: ack.generation });
        }
        let mark = posted.mark(ack.epoch, ack.generation);
        if mark.is_some_and(|mark| !mark.names(ack.attempted)) {
            return Ok(None);
        }
        let word = Word::of(signed, mark.map(|mark| mark.issued));
        let word = match self.seals {
            Seals::Kept => word.with_seal(key, signed),
            Seals::Dropped => word,
        };
        self.books().record(&pair, word, now, came, self.agents_max).map(Some)
    }

    /// The newest word of each agent of `pair`, in no order.
    pub(crate) fn reports(&self, pair: &Pair) -> Vec<AgentReport> {
        // Put together outside the lock, so that acks do not wait for it.
        let newest: Vec<(Arc<Word>, Timestamp)> = match self.books().pages.get(pair) {
            Some(page) => page.tally.newest().collect(),
            None => return Vec::new(),
        };
        newest.iter().map(|(word, heard)| word.report(*heard)).collect()
    }

    /// What the agents of `pair` said here.
    pub(crate) fn summary(&self, pair: &Pair) -> RegionSummary {
        let mut books = self.books();
        let Some(page) = books.pages.get_mut(pair) else { return RegionSummary::default() };
        page.summary.get_or_insert_with(|| page.tally.summary()).clone()
    }

    /// How many agents' newest word about `pair` has each outcome.
    pub(crate) fn outcomes(&self, pair: &Pair) -> BTreeMap<Outcome, u64> {
        self.books().pages.get(pair).map(|page| page.tally.outcomes()).unwrap_or_default()
    }

    /// How many agents are known, counted for each app and region.
    pub(crate) fn known(&self) -> usize {
        self.books().known
    }

    /// Puts the words of agents that are due into a body, as many as it takes.
    pub(crate) fn pack(&self) -> Parcel {
        let mut books = self.books();
        let Books { pages, outbox, .. } = &mut *books;
        let mut parcel = Parcel::default();
        while let Some(speaker) = outbox.take() {
            let (pair, agent) = &speaker;
            let words = pages.get(pair).map_or(&[][..], |page| page.tally.words(agent));
            let mut sealed = words.iter().filter_map(|word| word.sealed()).peekable();
            // Who was forgotten meanwhile has no words.
            let Some(key) = sealed.peek().map(|sealed| &sealed.key) else { continue };
            if !parcel.relay.add(key, sealed.filter(|sealed| sealed.key == *key).map(|sealed| &sealed.bytes)) {
                outbox.put_back([speaker]);
                break;
            }
            parcel.speakers.push(speaker);
        }
        parcel
    }

    /// Makes those due again of whom the upstream was told in vain.
    pub(crate) fn put_back(&self, speakers: impl IntoIterator<Item = Speaker>) {
        self.books().outbox.put_back(speakers);
    }

    /// Makes those due that said the same once more.
    pub(crate) fn let_go(&self) {
        self.books().outbox.let_go();
    }

    /// Makes everybody due who was heard at `since` or later.
    pub(crate) fn tell_all_again(&self, since: Timestamp) {
        let mut books = self.books();
        let Books { pages, outbox, .. } = &mut *books;
        for (pair, page) in pages {
            outbox.put_back(page.tally.heard_since(since).map(|agent| (pair.clone(), agent.clone())));
        }
    }

    /// Whether nobody is due.
    pub(crate) fn all_is_told(&self) -> bool {
        self.books().outbox.is_empty()
    }

    /// Forgets all that `agent` said.
    pub(crate) fn forget(&self, agent: &AgentId) {
        let mut books = self.books();
        let mut forgotten = 0;
        for page in books.pages.values_mut().filter(|page| page.tally.knows(agent)) {
            forgotten += usize::from(page.tally.forget(agent));
            page.summary = None;
        }
        books.known -= forgotten;
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
        pair: &Pair,
        word: Word,
        now: Timestamp,
        came: Came,
        agents_max: usize,
    ) -> Result<Recorded, Refused> {
        if !self.pages.contains_key(pair) {
            self.pages.insert(pair.clone(), Page::default());
        }
        let page = self.pages.get_mut(pair).expect("it was put there if it was missing");
        if self.known >= agents_max && !page.tally.knows(word.agent()) {
            return Err(Refused::Full);
        }
        let speaker = word.sealed().is_some().then(|| (pair.clone(), word.agent().clone()));
        let recorded = page.tally.record(word, now, came);
        if recorded != Recorded::Known {
            page.summary = None;
        }
        if let Some(speaker) = speaker {
            self.outbox.note(speaker, recorded);
        }
        self.known += usize::from(recorded == Recorded::First);
        Ok(recorded)
    }
}
