//! How long anything here waits: for one request, for a stalled body, and for the truth about a write.

use std::time::Duration;

use tokio::time::Instant;

/// How long a write whose answer was lost is followed up before it is reported as unknown.
///
/// No further try starts after it; one that started before may take its own time: 20 s, and a second more for every MiB.
pub const RESOLVE_WITHIN: Duration = Duration::from_secs(60);

/// How long a body may pause between two chunks, and a listing between two names.
pub(crate) const STALL: Duration = Duration::from_secs(20);

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long one whole request may take that moves at most `bytes`: 20 s, and a second more for every MiB.
pub(crate) fn allowance(bytes: u64) -> Duration {
    STALL + Duration::from_secs(bytes >> 20)
}

/// Pauses between tries: exponential, with full jitter, until [`RESOLVE_WITHIN`] is over.
pub(crate) struct Patience {
    since: Instant,
    pauses: u32,
}

impl Patience {
    pub(crate) fn new() -> Patience {
        Patience { since: Instant::now(), pauses: 0 }
    }

    /// How long it has lasted.
    pub(crate) fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    /// Sleeps before another try, or says `false` at once: it is time to give up.
    pub(crate) async fn pause(&mut self) -> bool {
        if self.waited() >= RESOLVE_WITHIN {
            return false;
        }
        tokio::time::sleep(LONGEST_PAUSE.min(ceiling(self.pauses)).mul_f64(fastrand::f64())).await;
        self.pauses += 1;
        true
    }
}

fn ceiling(pauses: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2u32.saturating_pow(pauses))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn patience_ends_soon_after_its_deadline() {
        let mut patience = Patience::new();
        let mut pauses = 0;
        while patience.pause().await {
            pauses += 1;
        }
        assert!(patience.waited() >= RESOLVE_WITHIN && patience.waited() <= RESOLVE_WITHIN + LONGEST_PAUSE);
        assert!((10..1000).contains(&pauses), "{pauses} tries are neither a few nor a flood");
    }

    #[test]
    fn a_large_bundle_may_take_longer_than_a_pointer() {
        assert_eq!(allowance(1024), Duration::from_secs(20));
        assert_eq!(allowance(256 << 20), Duration::from_secs(276));
    }
}
