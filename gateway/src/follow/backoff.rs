//! How long to wait after a failure: exponential, with full jitter, up to a cap.

use std::time::Duration;

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Notes a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Notes a failure; gives how long to wait, `usual` apart and at most [`LONGEST`] on top.
    pub(super) fn next(&mut self, usual: Duration) -> Duration {
        let ceiling = usual.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        usual + ceiling.mul_f64(fastrand::f64())
    }
}

/// From half of `usual` to one and a half times it, so that gateways that started together do not ask together.
pub(crate) fn jittered(usual: Duration) -> Duration {
    usual.mul_f64(0.5 + fastrand::f64())
}

const LONGEST: Duration = Duration::from_secs(30);
