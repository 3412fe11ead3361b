//! How long to wait after something failed: exponential, with full jitter and a cap.

use std::time::Duration;

const LONGEST: Duration = Duration::from_secs(60);
const SHORTEST: Duration = Duration::from_millis(50);

/// Pauses between tries that fail.
pub(super) struct Backoff {
    first: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts with pauses of up to `first`.
    pub(super) fn new(first: Duration) -> Backoff {
        Backoff { first, failures: 0 }
    }

    /// The pause after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(fastrand::f64()).max(SHORTEST)
    }

    /// Something went well.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    fn ceiling(&self) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_cap_and_start_anew() {
        let mut backoff = Backoff::new(Duration::from_secs(5));
        let ceilings: Vec<u64> = (0..6).map(|_| (backoff.ceiling().as_secs(), backoff.next()).0).collect();
        assert_eq!(ceilings, [5, 10, 20, 40, 60, 60]);
        assert!((0..200).all(|_| backoff.next() <= LONGEST));
        backoff.reset();
        assert_eq!(backoff.ceiling(), Duration::from_secs(5));
    }
}
