//! One thread of the lot: an epoll, entries, rows, and what is done with them in turn.
//!
//! Each round looks at sockets that stirred, at what others said, at deadlines that passed, and then writes at most
//! [`STRETCH`] answers, so that a long row keeps nobody waiting for longer than that takes. Whom to answer is decided in one place
//! and by one comparison: who is owed an answer and has the pointer that is posted is told that there is no other.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use tokio::sync::mpsc;
use tracing::error;

use super::deadlines::{Deadlines, Tick};
use super::entry::{Arrived, Entry, More, Returned, State};
use super::inbox::{Inbox, Phase, Words};
use super::row::Row;
use super::slab::{Slab, Token};
use crate::board::Slot;
use crate::metrics::{Held, Metrics};

/// A shard that nobody runs yet.
#[derive(Debug)]
pub(crate) struct Shard {
    epoll: OwnedFd,
    inbox: Arc<Inbox>,
    leave: mpsc::UnboundedSender<Vec<Returned>>,
}

impl Shard {
    pub(super) fn open(leave: mpsc::UnboundedSender<Vec<Returned>>) -> io::Result<Shard> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let inbox = Arc::new(Inbox::new()?);
        epoll::add(&epoll, &*inbox, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)?;
        Ok(Shard { epoll, inbox, leave })
    }

    pub(super) fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.inbox)
    }

    /// Runs until the lot ends. Blocks the thread.
    pub(crate) fn run(self, metrics: &Metrics, patience: Patience) {
        let mut rounds = self.begin(metrics, patience);
        while rounds.next() == Next::Round {}
    }

    pub(super) fn begin(self, metrics: &Metrics, patience: Patience) -> Rounds<'_> {
        let now = Instant::now();
        let Shard { epoll, inbox, leave } = self;
        Rounds {
            epoll,
            inbox,
            leave,
            metrics,
            patience,
            now,
            events: Vec::with_capacity(STRETCH),
            slab: Slab::default(),
            rows: Vec::new(),
            row_of: HashMap::new(),
            busy: VecDeque::new(),
            packing: Vec::new(),
            deadlines: Deadlines::new(now),
            phase: Phase::Open,
            ends: None,
            tally: Held::default(),
            leaving: Vec::new(),
        }
    }
}

/// How long clients are waited for that do nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// With those who were answered, and ask nothing.
    pub(crate) idle: Duration,
    /// With those who do not read.
    pub(crate) stalled: Duration,
}

/// Whether there is another round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Round,
    End,
}

/// A shard that runs.
pub(super) struct Rounds<'a> {
    pub(super) epoll: OwnedFd,
    pub(super) inbox: Arc<Inbox>,
    pub(super) leave: mpsc::UnboundedSender<Vec<Returned>>,
    pub(super) metrics: &'a Metrics,
    pub(super) patience: Patience,
    pub(super) now: Instant,
    pub(super) events: Vec<epoll::Event>,
    pub(super) slab: Slab,
    pub(super) rows: Vec<Row>,
    pub(super) row_of: HashMap<*const Slot, u32>,
    /// Rows in which somebody is owed an answer, in turn.
    pub(super) busy: VecDeque<u32>,
    /// Rows in which somebody waits for what goes along.
    pub(super) packing: Vec<u32>,
    pub(super) deadlines: Deadlines,
    pub(super) phase: Phase,
    /// When it ends, written or not.
    pub(super) ends: Option<Instant>,
    pub(super) tally: Held,
    pub(super) leaving: Vec<Returned>,
}

impl Rounds<'_> {
    /// Does what there is to do, but no more than a stretch of it; waits where there is nothing.
    pub(super) fn next(&mut self) -> Next {
        let quiet = self.quiet_for();
        self.events.clear();
        if let Err(error) = epoll::wait(&self.epoll, spare_capacity(&mut self.events), quiet.as_ref())
            && error != rustix::io::Errno::INTR
        {
            // Its arguments are right, so it cannot happen; if it did, those who wait here would wait for ever.
            error!(%error, "A shard of the lot lost its epoll: {error}");
            return Next::End;
        }
        self.now = Instant::now();
        let events = std::mem::take(&mut self.events);
        for event in &events {
            let (data, flags) = (event.data.u64(), event.flags);
            if data == BELL {
                self.listen();
            } else {
                self.stirred(Token::from_bits(data), flags);
            }
        }
        self.events = events;
        self.expire();
        self.write_some();
        self.hand_back();
        self.metrics.held(&std::mem::take(&mut self.tally));
        let late = self.ends.is_some_and(|ends| self.now >= ends);
        if self.phase == Phase::Ending && (self.slab.is_empty() || late) { Next::End } else { Next::Round }
    }

    /// How long there is nothing to do unless something happens; nothing is for ever.
    fn quiet_for(&self) -> Option<Timespec> {
        if !self.busy.is_empty() || (self.phase == Phase::Ending && self.slab.is_empty()) {
            return Some(Timespec::default());
        }
        let packed = self.packing.iter().map(|row| self.rows[*row as usize].posted.packs_due()).min();
        let until = [self.deadlines.next(), packed, self.ends].into_iter().flatten().min()?;
        let left = until.saturating_duration_since(self.now);
        Some(Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() })
    }

    /// Does what others said.
    fn listen(&mut self) {
        let Words { arrived, mut posted, phase, .. } = self.inbox.take();
        posted.sort_unstable();
        posted.dedup();
        posted.into_iter().for_each(|row| self.look(row));
        arrived.into_iter().for_each(|arrived| self.take_in(arrived));
        if phase > self.phase {
            self.phase = phase;
            self.ends.get_or_insert(self.now + GRACE);
            self.send_all_home();
        }
    }

    /// Looks what the slot of a row has now.
    fn look(&mut self, index: u32) {
        let row = &mut self.rows[index as usize];
        let newest = row.slot.posted();
        if newest.turn() != row.posted.turn() {
            row.posted = newest;
            row.owe(State::Waiting, &mut self.slab);
        }
        if row.posted.packs().is_some() {
            row.owe(State::Packing, &mut self.slab);
        }
        self.note_busy(index);
    }

    pub(super) fn note_busy(&mut self, index: u32) {
        let row = &mut self.rows[index as usize];
        if !row.owed.is_empty() && !std::mem::replace(&mut row.is_busy, true) {
            self.busy.push_back(index);
        }
    }

    fn row(&mut self, slot: &Arc<Slot>) -> u32 {
        *self.row_of.entry(Arc::as_ptr(slot)).or_insert_with(|| {
            let index = u32::try_from(self.rows.len()).expect("there are fewer pointers than that");
            // First the bell, then the look: what is posted between the two is heard of, at worst twice.
            let inbox = Arc::clone(&self.inbox);
            slot.hang(move || inbox.look(index));
            self.rows.push(Row::new(Arc::clone(slot)));
            index
        })
    }

    fn take_in(&mut self, arrived: Arrived) {
        let Arrived { stream, place, ahead, slot, posted, form, longest } = arrived;
        let row = self.row(&slot);
        // What was posted on its way here is not missed: it is compared with what is there now.
        self.look(row);
        let turn = posted.turn();
        let stirred = !ahead.is_empty();
        let more = stirred.then(|| Box::new(More { ahead, ..More::default() }));
        let state = State::Waiting;
        let entry = Entry { stream, place, form, turn, state, stirred, row, at: 0, deadline: Tick::NEVER, more };
        let token = self.slab.insert(entry);
        let index = token.index;
        let Some(entry) = self.slab.entry(index) else { return };
        let data = epoll::EventData::new_u64(token.to_bits());
        if let Err(error) = epoll::add(&self.epoll, &entry.stream, data, WHEN_READABLE) {
            error!(%error, "A connection could not be held: {error}");
            self.slab.remove(index);
            return;
        }
        self.tally.came += 1;
        let changed = self.rows[row as usize].posted.turn() != turn;
        let state = if changed || self.phase > Phase::Open { State::Owed } else { State::Waiting };
        self.rows[row as usize].enter(index, entry, state);
        self.ends_at(index, self.now + longest);
        self.note_busy(row);
    }

    /// Gives the state of an entry an end.
    pub(super) fn ends_at(&mut self, index: u32, moment: Instant) {
        let tick = self.deadlines.tick(moment);
        let Some(entry) = self.slab.entry(index) else { return };
        entry.deadline = tick;
        let filed = self.slab.filed(index);
        if tick < *filed {
            *filed = tick;
            self.deadlines.file(tick, index);
        }
    }

    /// Has everyone who waits answered, and hangs up on those who do not.
    fn send_all_home(&mut self) {
        for row in 0..u32::try_from(self.rows.len()).expect("there are fewer pointers than that") {
            for state in [State::Waiting, State::Packing] {
                self.rows[row as usize].owe(state, &mut self.slab);
            }
            self.note_busy(row);
        }
        for index in self.slab.taken() {
            if self.slab.entry(index).is_some_and(|entry| entry.state == State::Resting) {
                self.free(index);
            }
        }
    }
}

/// Edge-triggered: it is said once that there is something to read, and what is not read says nothing more.
pub(super) const WHEN_READABLE: epoll::EventFlags =
    epoll::EventFlags::IN.union(epoll::EventFlags::RDHUP).union(epoll::EventFlags::ET);
/// Not the bits of any [`Token`]: there are fewer places than that.
const BELL: u64 = u64::MAX;
/// So many answers take a few milliseconds.
pub(super) const STRETCH: usize = 256;
/// For those who do not read their last answer at once.
const GRACE: Duration = Duration::from_secs(5);
