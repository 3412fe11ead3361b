//! A gateway as a run knows it: what it has, who is parked there, and how busy its processors and its line are.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Moment;
use crate::followers::{ASHORE, Follower, Followers};
use crate::traffic::Layer;

/// One gateway.
pub(crate) struct Gateway {
    pub(crate) layer: Layer,
    /// The region whose agents it serves; none: it serves gateways of all.
    pub(crate) region: Option<usize>,
    /// The pointers it has, region by region, or its region's only.
    slots: Vec<Slot>,
    /// When its processors are done with what was asked so far.
    cpu: Moment,
    /// When they are with what was said: nobody waits for an answer to a question because of that.
    book: Moment,
    /// When its line is.
    line: Moment,
    /// When it has, or had, each object.
    pub(crate) objects: HashMap<Object, Moment>,
    /// What is to be told upwards: who, and which words.
    pub(crate) outbox: Vec<(u32, u32)>,
}

/// The pointer of one region at one gateway.
#[derive(Default)]
pub(crate) struct Slot {
    /// Its number.
    pub(crate) version: u32,
    /// From when on those who say what they have are answered.
    pub(crate) tells_from: Moment,
    /// From when on what is small comes along.
    pub(crate) encloses_from: Moment,
    /// Who waits for the next one.
    lot: Vec<Follower>,
}

/// Something of a bundle, by the number of its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Object {
    Manifest(u16),
    Patch { to: u16, from: u16 },
    Whole(u16),
}

impl Gateway {
    /// One that serves a region, or, at a layer above, all of that many.
    pub(crate) fn new(layer: Layer, region: Option<usize>, regions: usize) -> Gateway {
        let slots = if region.is_some() { 1 } else { regions };
        Gateway {
            layer,
            region,
            slots: (0..slots).map(|_| Slot::default()).collect(),
            cpu: Moment::START,
            book: Moment::START,
            line: Moment::START,
            objects: HashMap::new(),
            outbox: Vec::new(),
        }
    }

    pub(crate) fn slot(&mut self, region: usize) -> &mut Slot {
        let place = if self.region.is_some() { 0 } else { region };
        &mut self.slots[place]
    }

    /// When its processors are done with `work` that comes at `at`, now or soon, with all that is before it.
    pub(crate) fn works(&mut self, now: Moment, at: Moment, work: Duration) -> Moment {
        in_turn(&mut self.cpu, now, at, work)
    }

    /// When its processors have counted what is said now, and takes `work`.
    pub(crate) fn counts(&mut self, now: Moment, work: Duration) -> Moment {
        in_turn(&mut self.book, now, now, work)
    }

    /// When the last byte is on the line of something that takes it for `length` and is there at `at`, now or soon.
    pub(crate) fn sends(&mut self, now: Moment, at: Moment, length: Duration) -> Moment {
        in_turn(&mut self.line, now, at, length)
    }
}

/// What is asked for ahead of its time takes its place in the queue at once, and never makes the queue longer than its work.
fn in_turn(busy_until: &mut Moment, now: Moment, at: Moment, work: Duration) -> Moment {
    *busy_until = now.max(*busy_until).after(work);
    at.after(work).max(*busy_until)
}

impl Slot {
    pub(crate) fn park(&mut self, follower: Follower, followers: &mut Followers) {
        followers.berth[follower as usize] = u32::try_from(self.lot.len()).expect("no more than there are followers");
        self.lot.push(follower);
    }

    /// Lets go of one, if it is still there.
    pub(crate) fn release(&mut self, follower: Follower, followers: &mut Followers) -> bool {
        let berth = std::mem::replace(&mut followers.berth[follower as usize], ASHORE) as usize;
        if self.lot.get(berth) != Some(&follower) {
            return false;
        }
        self.lot.swap_remove(berth);
        if let Some(moved) = self.lot.get(berth) {
            followers.berth[*moved as usize] = u32::try_from(berth).expect("it was one");
        }
        true
    }

    /// Lets go of all.
    pub(crate) fn empty(&mut self, followers: &mut Followers) -> Vec<Follower> {
        for follower in &self.lot {
            followers.berth[*follower as usize] = ASHORE;
        }
        std::mem::take(&mut self.lot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_ahead_of_its_time_holds_up_nobody() {
        let ms = |ms: u64| Moment::from_micros(ms * 1000);
        let work = Duration::from_millis(1);
        let mut gateway = Gateway::new(Layer::Leaves, Some(0), 1);
        assert_eq!(gateway.works(ms(0), ms(0), work), ms(1));
        assert_eq!(gateway.works(ms(0), ms(80), work), ms(81));
        assert_eq!(gateway.works(ms(0), ms(0), work), ms(3), "after the two before it, and not after their waits");
        assert_eq!(gateway.works(ms(10), ms(10), work), ms(11));
    }
}
