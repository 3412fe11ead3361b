//! Chance in waiting times, so that agents that started or failed together do not ask together.

use std::time::Duration;

use fastrand::Rng;

/// Uniform from `low` to `high`; `low` where they are the wrong way round. At most [`LONGEST`].
pub(crate) fn between(low: Duration, high: Duration, rng: &mut Rng) -> Duration {
    low.saturating_add(high.saturating_sub(low).mul_f64(rng.f64())).min(LONGEST)
}

/// Uniform from half of `middle` to one and a half times `middle`, which is also its mean. At most [`LONGEST`].
///
/// As wide as `middle`, so one wait is enough to spread agents that moved in step evenly over a whole period, and unlike
/// a wait from zero to twice as much it never asks twice in a row and is never late by more than half a period.
pub(crate) fn around(middle: Duration, rng: &mut Rng) -> Duration {
    between(middle / 2, middle.saturating_add(middle / 2), rng)
}

/// Whatever is configured, a wait added to a moment gives a moment.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_in_their_range() {
        let mut rng = Rng::with_seed(1);
        let second = Duration::from_secs(1);
        for _ in 0..1000 {
            assert!((second / 2..=second * 3 / 2).contains(&around(second, &mut rng)));
            assert!((second..=second * 4).contains(&between(second, second * 4, &mut rng)));
            assert_eq!(between(second, Duration::ZERO, &mut rng), second);
            assert!(around(Duration::MAX, &mut rng) <= LONGEST);
        }
    }
}
