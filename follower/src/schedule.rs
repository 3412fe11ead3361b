//! Decides which base URL is asked for a pointer next, and when.
//!
//! In: what became of the last request, and the time. Out: one [`Step`]. Knows no HTTP, no clock, and base URLs only by
//! their place in the list.
//!
//! A base that works is kept. One that fails is followed by the next at once; when a whole round has failed, the next
//! round waits, longer each time. When a rest is over (see `ranking.rs`), the better choice is tried again.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::jitter;
use crate::ranking::Ranking;
use crate::rhythm::Rhythm;

/// Whom to ask for one pointer, and when.
#[derive(Clone)]
pub struct Schedule {
    rhythm: Rhythm,
    ranking: Ranking,
    /// Until when each base asked to be left alone.
    closed_until: Vec<Option<Instant>>,
    /// Bases that failed since the last one that worked.
    failed_in_row: usize,
    /// Whether one of them said that there is no such pointer.
    absent_in_round: bool,
    /// Answers in a row that came early from servers that said they would wait.
    early_in_row: u32,
    step: Step,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whom to ask.
    pub base: usize,
    /// When, at the earliest.
    pub at: Instant,
    /// Whether a whole round has just brought nothing, which the caller should hear of first.
    pub round_failed: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// We have what the base has, and its validator to wait for more with.
    CaughtUp,
    /// The base was asked for something newer, and has nothing.
    Unchanged {
        /// Whether it said that it holds requests.
        waits: bool,
        /// From the question to the answer.
        took: Duration,
    },
    /// The base has no such pointer.
    Absent,
    /// The base gave no answer that can be used.
    Failed {
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The base answers, but may be keeping something back.
    Doubted,
}

/// The most of a `Retry-After` that is honoured, before jitter: nobody untrusted may send us away for long.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

impl Schedule {
    /// Begins with the first of `bases` base URLs, at once.
    pub fn new(bases: usize, rhythm: Rhythm, now: Instant) -> Schedule {
        Schedule {
            rhythm,
            ranking: Ranking::new(bases),
            closed_until: vec![None; bases],
            failed_in_row: 0,
            absent_in_round: false,
            early_in_row: 0,
            step: Step { base: 0, at: now, round_failed: false },
        }
    }

    /// The step that is to be taken now.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Takes what became of the step's request, and decides the next one.
    pub fn next_step(&mut self, event: Event, now: Instant, rng: &mut Rng) -> Step {
        let at = match event {
            Event::CaughtUp => {
                self.worked();
                self.early_in_row = 0;
                now
            }
            Event::Unchanged { waits, took } => {
                self.worked();
                now + self.pause(waits, took, rng)
            }
            Event::Absent => {
                self.absent_in_round = true;
                now + self.failed(now, None, rng)
            }
            Event::Failed { retry_after } => now + self.failed(now, retry_after, rng),
            Event::Doubted => {
                // The moment stays as it was, so that doubting often is not asking often.
                self.stand_back(now, rng);
                self.step.at
            }
        };
        let round_failed = matches!(event, Event::Absent | Event::Failed { .. }) && self.is_round_over();
        if round_failed {
            self.absent_in_round = false;
        }
        let (base, at) = self.choose(at);
        self.step = Step { base, at, round_failed };
        self.step
    }

    fn worked(&mut self) {
        self.ranking.worked(self.step.base);
        self.closed_until[self.step.base] = None;
        self.failed_in_row = 0;
        self.absent_in_round = false;
    }

    /// How long to wait before asking again a base that has nothing newer.
    fn pause(&mut self, waits: bool, took: Duration, rng: &mut Rng) -> Duration {
        if !waits {
            self.early_in_row = 0;
            return jitter::around(self.rhythm.poll, rng);
        }
        // A server may hold requests for less than it was asked to; what counts is that asking again is no more than polling.
        if took >= self.rhythm.poll.min(self.rhythm.wait / 2) {
            self.early_in_row = 0;
            return Duration::ZERO;
        }
        // A server that shuts down lets go of everybody early, and should find a crowd, not a stampede. One that lets go
        // early every time does not wait at all, whatever it says, and is polled.
        self.early_in_row = self.early_in_row.saturating_add(1);
        let bound = doubled(self.rhythm.backoff_min, self.early_in_row);
        if bound < self.rhythm.poll {
            jitter::between(Duration::ZERO, bound, rng)
        } else {
            jitter::around(self.rhythm.poll, rng)
        }
    }

    /// Puts the base last; zero until all have failed, and then how long to wait before the next round.
    fn failed(&mut self, now: Instant, retry_after: Option<Duration>, rng: &mut Rng) -> Duration {
        self.stand_back(now, rng);
        // Longer than asked, never shorter: everybody else was told the same.
        self.closed_until[self.step.base] = retry_after.map(|asked| {
            let asked = asked.min(RETRY_AFTER_MAX);
            now + jitter::between(asked, asked + asked / 2, rng)
        });
        self.failed_in_row += 1;
        if !self.is_round_over() {
            return Duration::ZERO;
        }
        if self.absent_in_round {
            // Somebody is there and will serve the pointer once it exists, so this is polling.
            return jitter::around(self.rhythm.poll, rng);
        }
        let rounds = u32::try_from(self.failed_in_row / self.closed_until.len()).unwrap_or(u32::MAX);
        let bound = doubled(self.rhythm.backoff_min, rounds).min(self.rhythm.backoff_max);
        jitter::between(self.rhythm.backoff_min, bound, rng)
    }

    /// Whether as many have failed in a row as make up whole rounds.
    fn is_round_over(&self) -> bool {
        self.failed_in_row.is_multiple_of(self.closed_until.len())
    }

    fn stand_back(&mut self, now: Instant, rng: &mut Rng) {
        self.ranking.failed(self.step.base, now, jitter::around(self.rhythm.rest, rng));
    }

    /// The best base that may be asked at `at`; where none may, the first that may, and that later moment.
    fn choose(&self, at: Instant) -> (usize, Instant) {
        let order = self.ranking.order(at);
        let opens = |base: usize| self.closed_until[base].map_or(at, |opens| opens.max(at));
        // Of equals, the first is taken, which is the best.
        let base = order.into_iter().min_by_key(|base| opens(*base)).expect("there is at least one base URL");
        (base, opens(base))
    }
}

/// `length` doubled that many times.
fn doubled(length: Duration, times: u32) -> Duration {
    length.saturating_mul(2_u32.saturating_pow(times))
}

#[cfg(test)]
mod tests;
