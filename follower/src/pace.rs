//! Decides whether a body arrives too slowly.
//!
//! In: how many bytes came, and how long they were waited for. Out: go on, or [`TooSlow`]. Knows no clock and no socket.

use std::time::Duration;

use crate::settings::Throughput;

/// The current window of one body.
pub(crate) struct Pace {
    throughput: Throughput,
    waited: Duration,
    received: u64,
}

/// Says that less than the floor arrived in a window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooSlow;

impl Pace {
    pub(crate) fn new(throughput: Throughput) -> Pace {
        // A window without length would never be over, or always.
        let window = throughput.window.max(Duration::from_millis(1));
        Pace { throughput: Throughput { window, ..throughput }, waited: Duration::ZERO, received: 0 }
    }

    /// How much longer to wait before the window is judged; never zero.
    pub(crate) fn patience(&self) -> Duration {
        self.throughput.window.saturating_sub(self.waited)
    }

    /// Takes note of bytes, and judges the window where it is over.
    pub(crate) fn note(&mut self, bytes: u64, waited: Duration) -> Result<(), TooSlow> {
        self.received = self.received.saturating_add(bytes);
        self.waited = self.waited.saturating_add(waited);
        if self.waited < self.throughput.window {
            return Ok(());
        }
        if self.received < self.floor() {
            return Err(TooSlow);
        }
        self.waited = Duration::ZERO;
        self.received = 0;
        Ok(())
    }

    /// Bytes that a window must bring; at least one, so that no body is waited for without end.
    fn floor(&self) -> u64 {
        let millis = u64::try_from(self.throughput.window.as_millis()).unwrap_or(u64::MAX);
        (self.throughput.min_bytes_per_second.saturating_mul(millis) / 1000).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn default_pace() -> Pace {
        Pace::new(Throughput::default())
    }

    #[test]
    fn a06_one_byte_a_second_is_over_with_the_first_window() {
        let mut pace = default_pace();
        for _ in 0..29 {
            assert_eq!(pace.note(1, SECOND), Ok(()));
        }
        assert_eq!(pace.patience(), SECOND);
        assert_eq!(pace.note(1, SECOND), Err(TooSlow));
    }

    #[test]
    fn the_floor_itself_may_go_on_for_ever() {
        let mut pace = default_pace();
        for _ in 0..1000 {
            assert_eq!(pace.note(10 * 1024, SECOND), Ok(()));
        }
    }

    #[test]
    fn a_burst_pays_for_its_own_window_only() {
        let mut pace = default_pace();
        assert_eq!(pace.note(1 << 30, Duration::ZERO), Ok(()));
        assert_eq!(pace.note(0, 30 * SECOND), Ok(()));
        assert_eq!(pace.note(0, 30 * SECOND), Err(TooSlow));
    }

    #[test]
    fn silence_is_too_slow_under_any_settings() {
        for (min_bytes_per_second, window) in [(0, SECOND), (u64::MAX, Duration::MAX), (0, Duration::ZERO)] {
            let mut pace = Pace::new(Throughput { min_bytes_per_second, window });
            assert!(pace.patience() > Duration::ZERO);
            assert_eq!(pace.note(0, pace.patience()), Err(TooSlow));
        }
    }
}
