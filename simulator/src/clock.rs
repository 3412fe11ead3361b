//! The time of a run: microseconds since it began, and what that is to the cores that know timestamps and instants.

use std::time::{Duration, Instant};

use schema::Timestamp;

/// A moment of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(u64);

impl Moment {
    /// The beginning.
    pub(crate) const START: Moment = Moment(0);

    /// The end of the first minute.
    pub(crate) const FIRST_MINUTE: Moment = Moment(60_000_000);

    #[cfg(test)]
    pub(crate) fn from_micros(micros: u64) -> Moment {
        Moment(micros)
    }

    pub(crate) fn micros(self) -> u64 {
        self.0
    }

    pub(crate) fn after(self, length: Duration) -> Moment {
        Moment(self.0.saturating_add(micros(length)))
    }

    /// How long after `earlier` this is; zero where it is not after it.
    pub(crate) fn since(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The whole seconds since the beginning.
    pub(crate) fn second(self) -> usize {
        usize::try_from(self.0 / 1_000_000).expect("a run has fewer seconds than there are addresses")
    }

    /// The date that this is to whoever signs and reads dates.
    pub(crate) fn timestamp(self) -> Timestamp {
        began().after(Duration::from_micros(self.0))
    }

    /// The first moment whose date is `timestamp`.
    pub(crate) fn at(timestamp: Timestamp) -> Moment {
        Moment(micros(timestamp.since(began())))
    }
}

/// What schedules that count in instants go by. Only differences matter to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dial(Instant);

impl Dial {
    pub(crate) fn new() -> Dial {
        Dial(Instant::now())
    }

    pub(crate) fn instant(self, moment: Moment) -> Instant {
        self.0 + Duration::from_micros(moment.0)
    }

    pub(crate) fn moment(self, instant: Instant) -> Moment {
        Moment(micros(instant.saturating_duration_since(self.0)))
    }
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

/// The date on which every run begins, in milliseconds: any would do, the same each time.
const BEGAN_MS: i64 = 1_800_000_000_000;

fn began() -> Timestamp {
    Timestamp::from_unix_millis(BEGAN_MS)
}
