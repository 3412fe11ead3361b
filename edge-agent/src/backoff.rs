//! How long to leave alone what just failed: twice as long each time, to a cap, and any part of that.
//!
//! Public for the scale model, whose agents try again as real ones do.

use std::time::Duration;

/// Failures in a row, and what they cost.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    /// For something that is asked for every `rhythm`.
    pub fn new(rhythm: Duration) -> Backoff {
        Backoff { first: rhythm.min(Duration::from_secs(1)), most: Duration::from_secs(60), failures: 0 }
    }

    /// The wait after one more failure: full jitter, so that hosts that failed together do not try together.
    pub fn failed(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.bound().mul_f64(fastrand::f64())
    }

    /// It worked, or it is about something else now.
    pub fn forget(&mut self) {
        self.failures = 0;
    }

    fn bound(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        (self.first * (1 << doublings)).min(self.most)
    }
}

/// Any length from half of `length` to one and a half times it: what many hosts do now and then, they should not do together.
pub(crate) fn around(length: Duration) -> Duration {
    length.mul_f64(0.5 + fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_to_a_cap_and_starts_anew_when_forgotten() {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        let mut bounds = Vec::new();
        for _ in 0..8 {
            let wait = backoff.failed();
            assert!(wait <= backoff.bound());
            bounds.push(backoff.bound().as_secs());
        }
        assert_eq!(bounds, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.forget();
        assert!(backoff.failed() <= Duration::from_secs(1));
        assert!((0..100).all(|_| backoff.failed() <= Duration::from_secs(60)));
    }
}
