//! Who follows pointers: agents, and gateways that hang on others. Each has the schedule of a real follower.

use std::time::Duration;

use follower::Rhythm;
use follower::schedule::Schedule;

use crate::clock::{Dial, Moment};

/// A follower: an agent by its own number, or, from there on, a gateway's line to those above it, one for each region.
pub(crate) type Follower = u32;

/// What followers know, column by column.
pub(crate) struct Followers {
    pub(crate) schedules: Vec<Schedule>,
    /// The number of the pointer that each holds.
    pub(crate) held: Vec<u32>,
    /// At which of its base URLs, bit by bit, it has a validator to wait with.
    pub(crate) validated: Vec<u8>,
    /// When it asked last.
    pub(crate) asked: Vec<Moment>,
    /// How often it asked: what belongs to an earlier question is over.
    pub(crate) question: Vec<u32>,
    /// Its place among those that are parked where it is.
    pub(crate) berth: Vec<u32>,
    dial: Dial,
}

impl Followers {
    pub(crate) fn new(dial: Dial) -> Followers {
        Followers {
            schedules: Vec::new(),
            held: Vec::new(),
            validated: Vec::new(),
            asked: Vec::new(),
            question: Vec::new(),
            berth: Vec::new(),
            dial,
        }
    }

    /// Room for that many.
    pub(crate) fn reserve(&mut self, followers: usize) {
        self.schedules.reserve_exact(followers);
        self.held.reserve_exact(followers);
        self.validated.reserve_exact(followers);
        self.asked.reserve_exact(followers);
        self.question.reserve_exact(followers);
        self.berth.reserve_exact(followers);
    }

    /// One more, which holds the first pointer and, where it may wait for the next one, has the validator of its first base URL.
    pub(crate) fn add(&mut self, bases: usize, rhythm: Rhythm, waits: bool) -> Follower {
        let number = Follower::try_from(self.held.len()).expect("a scenario has fewer followers than that");
        self.schedules.push(Schedule::new(bases, rhythm, self.dial.instant(Moment::START)));
        self.held.push(0);
        self.validated.push(u8::from(waits));
        self.asked.push(Moment::START);
        self.question.push(0);
        self.berth.push(ASHORE);
        number
    }
}

/// The berth of whoever is not parked.
pub(crate) const ASHORE: u32 = u32::MAX;

/// How an agent follows, by default.
pub(crate) fn of_agents() -> Rhythm {
    Rhythm::default()
}

/// How a gateway follows, by default.
pub(crate) fn of_gateways() -> Rhythm {
    Rhythm { poll: Duration::from_secs(1), backoff_max: Duration::from_secs(10), ..Rhythm::default() }
}
