//! The figures of a demo: what `--json` prints.

use schema::Timestamp;
use serde::Serialize;

/// Everything that was measured, in milliseconds and bytes.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    /// How many agents ran.
    pub(super) agents: usize,
    /// How many regions they were spread over.
    pub(super) regions: usize,
    /// A signed change, merged.
    pub(super) publish: Propagation,
    /// The same change, taken back with `git revert`.
    pub(super) rollback: Propagation,
    /// Agents that refused a bundle with one flipped byte and kept what they ran.
    pub(super) tampered_refused: usize,
    /// Agents that switched to it all the same; anything but zero is a bug.
    pub(super) tampered_applied: usize,
    /// Agents that reached the same generation once the byte was back.
    pub(super) repaired_applied: usize,
    /// Whether the unsigned commit was refused and no pointer moved.
    pub(super) unsigned_refused: bool,
    /// From the first line of output to the last, build not included.
    pub(super) took_ms: u64,
}

/// How one commit reached every agent.
#[derive(Debug, Default, Serialize)]
pub(super) struct Propagation {
    /// From the branch moving to the last region's pointer moving.
    pub(super) commit_to_pointer_ms: u64,
    /// From a region's pointer moving to an agent having it.
    pub(super) pointer_to_notified_ms: Percentiles,
    /// From a region's pointer moving to an agent running it.
    pub(super) pointer_to_applied_ms: Percentiles,
    /// Bundle bytes that agents fetched, all together.
    pub(super) bundle_bytes: u64,
}

/// The middle, the slow end and the slowest of a set of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) max: u64,
}

impl Percentiles {
    /// Of the given milliseconds, by nearest rank; zeros where there are none.
    pub(super) fn of(mut millis: Vec<u64>) -> Percentiles {
        millis.sort_unstable();
        let rank =
            |percent: usize| millis.get((millis.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0);
        Percentiles { p50: rank(50), p99: rank(99), max: rank(100) }
    }
}

/// Whole milliseconds from one moment to a later one.
pub(super) fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        assert_eq!(Percentiles::of((1..=100).rev().collect()), Percentiles { p50: 50, p99: 99, max: 100 });
        assert_eq!(Percentiles::of(vec![7]), Percentiles { p50: 7, p99: 7, max: 7 });
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
    }
}
