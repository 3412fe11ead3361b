//! Decides in which order base URLs are asked.
//!
//! In: which one worked or failed, and when. Out: all of them, best first. Knows them by their place in the list alone.
//!
//! The list is in order of preference. One that failed stands back behind the others for a while, so that a dead first
//! choice does not cost its deadline on every request, and then its place counts again. Those that stand back are asked
//! too, least recently failed first: being last is the worst that a failure, or an attacker who causes one, can bring.

use std::time::{Duration, Instant};

#[derive(Clone)]
pub(crate) struct Ranking {
    resting: Vec<Option<Rest>>,
}

#[derive(Clone, Copy)]
struct Rest {
    since: Instant,
    until: Instant,
}

impl Ranking {
    /// Ranks that many base URLs in list order.
    pub(crate) fn new(bases: usize) -> Ranking {
        Ranking { resting: vec![None; bases] }
    }

    pub(crate) fn worked(&mut self, base: usize) {
        self.resting[base] = None;
    }

    /// Puts `base` last, until the rest is over.
    pub(crate) fn failed(&mut self, base: usize, now: Instant, rest: Duration) {
        self.resting[base] = Some(Rest { since: now, until: now + rest });
    }

    /// Every base URL, the one to ask first in front.
    pub(crate) fn order(&self, now: Instant) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.resting.len()).collect();
        // The sort is stable, and nothing sorts before something: the rested stay in list order, in front.
        order.sort_by_key(|base| self.resting[*base].filter(|rest| now < rest.until).map(|rest| rest.since));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn whoever_failed_is_last_until_its_rest_is_over() {
        let start = Instant::now();
        let mut ranking = Ranking::new(3);
        assert_eq!(ranking.order(start), [0, 1, 2]);
        ranking.failed(0, start, 10 * MINUTE);
        assert_eq!(ranking.order(start), [1, 2, 0]);
        assert_eq!(ranking.order(start + 10 * MINUTE), [0, 1, 2]);
    }

    #[test]
    fn when_all_failed_they_take_turns_whatever_their_rests() {
        let start = Instant::now();
        let mut ranking = Ranking::new(3);
        for (base, rest) in [(0, 9), (1, 5), (2, 7)] {
            ranking.failed(base, start + MINUTE * base as u32, MINUTE * rest);
        }
        assert_eq!(ranking.order(start + 3 * MINUTE), [0, 1, 2]);
        ranking.failed(0, start + 3 * MINUTE, 2 * MINUTE);
        assert_eq!(ranking.order(start + 4 * MINUTE), [1, 2, 0]);
        ranking.worked(2);
        assert_eq!(ranking.order(start + 4 * MINUTE), [2, 1, 0]);
    }
}
