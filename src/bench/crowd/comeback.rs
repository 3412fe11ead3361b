//! When clients that were cut off come back: after the waits of an agent with one gateway (see `follower`).
//!
//! The first wait is between one second and two, each later one between one second and a bound that doubles up to a minute.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use follower::Rhythm;

/// Who comes back when.
#[derive(Debug, Default)]
pub(super) struct Comeback {
    waits: BinaryHeap<Reverse<(Instant, usize)>>,
}

impl Comeback {
    /// Has the client with that number wait, now that it has failed so many times in a row.
    pub(super) fn later(&mut self, client: usize, failed: u32, now: Instant) {
        let Rhythm { backoff_min, backoff_max, .. } = Rhythm::default();
        let bound = backoff_min.saturating_mul(2_u32.saturating_pow(failed)).min(backoff_max);
        let wait = backoff_min + bound.saturating_sub(backoff_min).mul_f64(fastrand::f64());
        self.waits.push(Reverse((now + wait, client)));
    }

    /// When the first of them comes.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waits.peek().map(|Reverse((at, _))| *at)
    }

    /// Somebody whose wait is over.
    pub(super) fn due(&mut self, now: Instant) -> Option<usize> {
        let Reverse((_, client)) = self.waits.peek().filter(|Reverse((at, _))| *at <= now).copied()?;
        self.waits.pop();
        Some(client)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn everybody_comes_back_once_and_not_at_once() {
        let mut comeback = Comeback::default();
        let now = Instant::now();
        (0..100).for_each(|client| comeback.later(client, 1, now));
        assert_eq!(comeback.due(now + Duration::from_millis(999)), None);
        let mut back: Vec<usize> = std::iter::from_fn(|| comeback.due(now + Duration::from_secs(2))).collect();
        back.sort_unstable();
        assert_eq!(back, (0..100).collect::<Vec<_>>());
    }
}
