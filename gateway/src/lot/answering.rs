//! What a shard does with entries: answers those who are owed it, lets go of those who left, hands back those who go on.

use bytes::Bytes;
use rustix::event::epoll;

use super::deadlines::Tick;
use super::entry::{Entry, Returned, State};
use super::inbox::Phase;
use super::shard::{Rounds, STRETCH, WHEN_READABLE};
use super::slab::Token;
use super::write::{Wrote, hang_up, write};
use crate::http::{After, Outcome};

impl Rounds<'_> {
    /// Does what is to be done when time has passed.
    pub(super) fn expire(&mut self) {
        while let Some((tick, indexes)) = self.deadlines.due(self.now) {
            for index in indexes {
                if *self.slab.filed(index) == tick {
                    *self.slab.filed(index) = Tick::NEVER;
                    self.expired(index, tick);
                }
            }
        }
        let (now, rows) = (self.now, &self.rows);
        let (due, not_yet) = self.packing.drain(..).partition(|row| rows[*row as usize].posted.packs_due() <= now);
        self.packing = not_yet;
        for index in due {
            self.rows[index as usize].is_packing = false;
            self.rows[index as usize].owe(State::Packing, &mut self.slab);
            self.note_busy(index);
        }
    }

    fn expired(&mut self, index: u32, tick: Tick) {
        let Some(entry) = self.slab.entry(index) else { return };
        if entry.deadline > tick {
            let deadline = entry.deadline;
            *self.slab.filed(index) = deadline;
            self.deadlines.file(deadline, index);
            return;
        }
        match entry.state {
            State::Waiting => {
                let row = entry.row;
                self.owe(index);
                self.note_busy(row);
            }
            // An answer is on its way.
            State::Owed | State::Packing => {}
            // The reader does not read, or has nothing more to ask.
            State::Writing | State::Resting => self.free(index),
        }
    }

    fn owe(&mut self, index: u32) {
        let Some(entry) = self.slab.entry(index) else { return };
        let row = &mut self.rows[entry.row as usize];
        row.leave(index, &mut self.slab);
        if let Some(entry) = self.slab.entry(index) {
            row.enter(index, entry, State::Owed);
        }
    }

    /// Answers some of those who are owed an answer, row after row.
    pub(super) fn write_some(&mut self) {
        let mut left = STRETCH;
        while left > 0
            && let Some(index) = self.busy.pop_front()
        {
            while left > 0
                && let Some(next) = self.rows[index as usize].owed.pop()
            {
                self.answer(index, next);
                left -= 1;
            }
            let row = &mut self.rows[index as usize];
            row.is_busy = false;
            if row.owed.is_empty() {
                row.printed.forget_large();
            }
            self.note_busy(index);
        }
    }

    /// Answers an entry that is in no list any more.
    fn answer(&mut self, row_index: u32, index: u32) {
        let Some(entry) = self.slab.entry(index) else { return };
        let row = &mut self.rows[row_index as usize];
        let outcome = if entry.turn == row.posted.turn() { Outcome::Same } else { Outcome::Changed };
        let closing = self.phase > Phase::Open;
        if outcome == Outcome::Changed && entry.form.have.is_some() && !closing {
            let packed = row.posted.packs().is_some() || self.now >= row.posted.packs_due();
            if !packed {
                row.enter(index, entry, State::Packing);
                if !std::mem::replace(&mut row.is_packing, true) {
                    self.packing.push(row_index);
                }
                return;
            }
        }
        let after = if closing { After::Closed } else { After::Kept };
        let print = row.printed.of(&row.slot, &row.posted, &entry.form, outcome, after);
        self.tally.left += 1;
        match outcome {
            Outcome::Changed => {
                self.tally.notified += 1;
                self.tally.whole.one_more(print.body_bytes);
            }
            Outcome::Same => self.tally.same.one_more(print.body_bytes),
        }
        entry.state = State::Writing;
        match write(&entry.stream, &print.bytes) {
            Wrote::All => self.answered(index, closing),
            Wrote::Some(written) => {
                let rest = print.bytes.slice(written..);
                self.write_later(index, rest, closing);
            }
            Wrote::Broken => self.free(index),
        }
    }

    /// Goes on when the client has read some.
    fn write_later(&mut self, index: u32, rest: Bytes, last: bool) {
        let token = self.slab.token(index);
        let Some(entry) = self.slab.entry(index) else { return };
        let more = entry.more.get_or_insert_default();
        (more.rest, more.last) = (rest, last);
        let data = epoll::EventData::new_u64(token.to_bits());
        if epoll::modify(&self.epoll, &entry.stream, data, WHEN_READABLE | epoll::EventFlags::OUT).is_err() {
            return self.free(index);
        }
        self.ends_at(index, self.now + self.patience.stalled);
    }

    fn write_on(&mut self, index: u32) {
        let Some(entry) = self.slab.entry(index) else { return };
        let Some(more) = &mut entry.more else { return };
        match write(&entry.stream, &more.rest) {
            Wrote::All => {
                let last = more.last;
                more.rest = Bytes::new();
                if more.ahead.is_empty() {
                    entry.more = None;
                }
                self.answered(index, last);
            }
            Wrote::Some(0) => {}
            Wrote::Some(written) => {
                // A slice of a slice: what is not written yet is still the bytes that all share.
                more.rest = more.rest.slice(written..);
                self.ends_at(index, self.now + self.patience.stalled);
            }
            Wrote::Broken => self.free(index),
        }
    }

    /// Lets an entry rest whose answer is written, or go on to what is asked next.
    fn answered(&mut self, index: u32, last: bool) {
        let Some(entry) = self.slab.entry(index) else { return };
        entry.state = State::Resting;
        if last || self.phase > Phase::Open {
            hang_up(&entry.stream);
            self.free(index);
        } else if entry.stirred {
            self.give_back(index);
        } else {
            self.ends_at(index, self.now + self.patience.idle);
        }
    }

    /// Does what follows from what a socket says of itself.
    pub(super) fn stirred(&mut self, token: Token, flags: epoll::EventFlags) {
        // It may have left in the same round.
        if !self.slab.holds(token) {
            return;
        }
        let index = token.index;
        let Some(entry) = self.slab.entry(index) else { return };
        let broken = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR);
        let ended = flags.contains(epoll::EventFlags::RDHUP);
        let resting = entry.state == State::Resting;
        if broken || (ended && !resting) {
            // Whoever hangs up does not wait for an answer.
            return self.free(index);
        }
        if flags.contains(epoll::EventFlags::IN) {
            let silent = ended && entry.stream.peek(&mut [0]).is_ok_and(|read| read == 0);
            if silent {
                return self.free(index);
            }
            if resting {
                return self.give_back(index);
            }
            entry.stirred = true;
        }
        if flags.contains(epoll::EventFlags::OUT) && entry.state == State::Writing {
            self.write_on(index);
        }
    }

    /// Hands an entry back to where requests are read.
    fn give_back(&mut self, index: u32) {
        let Some(Entry { stream, place, more, .. }) = self.slab.remove(index) else { return };
        if epoll::delete(&self.epoll, &stream).is_ok() {
            let ahead = more.map_or(Bytes::new(), |more| more.ahead);
            self.leaving.push(Returned { stream, place, ahead });
        }
    }

    pub(super) fn hand_back(&mut self) {
        if !self.leaving.is_empty() {
            // When nobody takes them any more, this gateway is going away.
            let _ = self.leave.send(std::mem::take(&mut self.leaving));
        }
    }

    /// Forgets an entry, wherever it is, and hangs up.
    pub(super) fn free(&mut self, index: u32) {
        let Some(entry) = self.slab.entry(index) else { return };
        if entry.is_parked() {
            self.tally.left += 1;
        }
        let row = entry.row;
        self.rows[row as usize].leave(index, &mut self.slab);
        self.slab.remove(index);
    }
}
