//! Who waits for the pointer of one app in one region, in one shard.

use std::sync::Arc;

use super::entry::{Entry, State};
use super::slab::Slab;
use crate::board::{Posted, Slot};
use crate::http::Printed;

/// Those who wait for one slot.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) slot: Arc<Slot>,
    /// What the slot had when it was looked at last.
    pub(super) posted: Arc<Posted>,
    pub(super) printed: Printed,
    pub(super) waiting: Vec<u32>,
    /// Those who are to be answered next, whether there is another pointer or not.
    pub(super) owed: Vec<u32>,
    pub(super) packing: Vec<u32>,
    /// Whether it is among those that have somebody to answer.
    pub(super) is_busy: bool,
    /// Whether it is among those that wait for what goes along.
    pub(super) is_packing: bool,
}

impl Row {
    pub(super) fn new(slot: Arc<Slot>) -> Row {
        let (posted, printed) = (slot.posted(), Printed::default());
        let (waiting, owed, packing) = Default::default();
        Row { slot, posted, printed, waiting, owed, packing, is_busy: false, is_packing: false }
    }

    fn list(&mut self, state: State) -> Option<&mut Vec<u32>> {
        match state {
            State::Waiting => Some(&mut self.waiting),
            State::Owed => Some(&mut self.owed),
            State::Packing => Some(&mut self.packing),
            State::Writing | State::Resting => None,
        }
    }

    /// Puts an entry that is in no list into that of `state`.
    pub(super) fn enter(&mut self, index: u32, entry: &mut Entry, state: State) {
        entry.state = state;
        if let Some(list) = self.list(state) {
            entry.at = u32::try_from(list.len()).expect("there are fewer sockets than that");
            list.push(index);
        }
    }

    /// Takes an entry out of the list that it is in; the last one there takes its place.
    pub(super) fn leave(&mut self, index: u32, slab: &mut Slab) {
        let Some(entry) = slab.entry(index) else { return };
        let at = entry.at;
        let Some(list) = self.list(entry.state) else { return };
        list.swap_remove(at as usize);
        if let Some(moved) = list.get(at as usize).and_then(|moved| slab.entry(*moved)) {
            moved.at = at;
        }
    }

    /// Owes an answer to all of one list.
    pub(super) fn owe(&mut self, from: State, slab: &mut Slab) {
        let Some(list) = self.list(from) else { return };
        for index in std::mem::take(list) {
            if let Some(entry) = slab.entry(index) {
                self.enter(index, entry, State::Owed);
            }
        }
    }
}
