//! The shape of many times: first, middle, slow end, last.

use serde::Serialize;

use crate::bench::figures::{nearest_rank, rounded};

/// Milliseconds, by nearest rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(in crate::bench) struct Spread {
    pub(in crate::bench) first: f64,
    pub(in crate::bench) p50: f64,
    pub(in crate::bench) p99: f64,
    pub(in crate::bench) last: f64,
}

impl Spread {
    /// Of the given milliseconds; zeros where there are none.
    pub(in crate::bench) fn of(mut millis: Vec<f64>) -> Spread {
        millis.sort_unstable_by(f64::total_cmp);
        let rank = |percent| nearest_rank(&millis, percent).map_or(0.0, rounded);
        Spread { first: rank(0), p50: rank(50), p99: rank(99), last: rank(100) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        let spread = Spread::of((1..=100).rev().map(f64::from).collect());
        assert_eq!(spread, Spread { first: 1.0, p50: 50.0, p99: 99.0, last: 100.0 });
        assert_eq!(Spread::of(vec![7.0]), Spread { first: 7.0, p50: 7.0, p99: 7.0, last: 7.0 });
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
