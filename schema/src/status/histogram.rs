//! Lengths of time, counted in buckets that any two gateways agree on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counts of milliseconds in buckets about 9 % wide, so that summaries merge and percentiles stay honest.
///
/// Its JSON tells `p50_ms` and `p99_ms` as well, for whoever only wants those; readers compute them anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "Told")]
pub struct Histogram {
    /// How many were recorded.
    pub count: u64,
    /// The longest, exact.
    pub max_ms: u64,
    /// Count by bucket number; bucket `n` holds what is over the bound of `n - 1` and at most its own.
    buckets: BTreeMap<u16, u64>,
}

impl Histogram {
    /// Counts one length of time.
    pub fn record(&mut self, millis: u64) {
        self.count += 1;
        self.max_ms = self.max_ms.max(millis);
        *self.buckets.entry(bucket_of(millis)).or_default() += 1;
    }

    /// Adds all that `other` counted. What others say they counted is not trusted, so sums end at the largest number.
    pub fn merge(&mut self, other: &Histogram) {
        self.count = self.count.saturating_add(other.count);
        self.max_ms = self.max_ms.max(other.max_ms);
        for (bucket, count) in &other.buckets {
            let ours = self.buckets.entry(*bucket).or_default();
            *ours = ours.saturating_add(*count);
        }
    }

    /// The length that a share `q` (0 to 1) of all stays within, in milliseconds, rounded up to its bucket's bound; zero
    /// where nothing was counted.
    pub fn quantile(&self, q: f64) -> u64 {
        let wanted = (q.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        let mut passed = 0_u64;
        for (bucket, count) in &self.buckets {
            passed = passed.saturating_add(*count);
            if passed >= wanted {
                return bound_of(*bucket).min(self.max_ms);
            }
        }
        self.max_ms
    }
}

/// A histogram as its JSON tells it.
#[derive(Serialize)]
struct Told {
    count: u64,
    max_ms: u64,
    p50_ms: u64,
    p99_ms: u64,
    buckets: BTreeMap<u16, u64>,
}

impl From<Histogram> for Told {
    fn from(histogram: Histogram) -> Told {
        let (p50_ms, p99_ms) = (histogram.quantile(0.5), histogram.quantile(0.99));
        let Histogram { count, max_ms, buckets } = histogram;
        Told { count, max_ms, p50_ms, p99_ms, buckets }
    }
}

/// Eight buckets to each doubling.
const PER_DOUBLING: f64 = 8.0;

fn bucket_of(millis: u64) -> u16 {
    if millis == 0 { 0 } else { ((millis as f64).log2() * PER_DOUBLING).ceil() as u16 + 1 }
}

fn bound_of(bucket: u16) -> u64 {
    if bucket == 0 { 0 } else { (f64::from(bucket - 1) / PER_DOUBLING).exp2().floor() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_bucket_of_the_truth() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|millis| histogram.record(millis));
        for (q, truth) in [(0.5, 500), (0.99, 990), (1.0, 1000)] {
            let found = histogram.quantile(q);
            assert!((truth..=truth * 110 / 100).contains(&found), "q{q}: {found} for {truth}");
        }
        assert_eq!(histogram.max_ms, 1000);
        assert_eq!(Histogram::default().quantile(0.99), 0);
    }

    #[test]
    fn its_json_tells_percentiles_and_reads_back() {
        let mut histogram = Histogram::default();
        [3, 5, 900].into_iter().for_each(|millis| histogram.record(millis));
        let json = serde_json::to_value(&histogram).expect("string keys");
        assert_eq!((&json["p50_ms"], &json["p99_ms"]), (&5.into(), &900.into()));
        assert_eq!(serde_json::from_value::<Histogram>(json).expect("our own JSON"), histogram);
    }

    #[test]
    fn invented_counts_are_added_up_to_the_largest_number() {
        let invented = r#"{"count":18446744073709551615,"max_ms":1,"buckets":{"0":18446744073709551615,"65535":7}}"#;
        let invented: Histogram = serde_json::from_str(invented).expect("the shape of a histogram");
        let mut merged = invented.clone();
        merged.merge(&invented);
        assert_eq!((merged.count, merged.quantile(1.0)), (u64::MAX, 0));
    }

    #[test]
    fn merging_is_counting_together() {
        let (mut left, mut right, mut both) = (Histogram::default(), Histogram::default(), Histogram::default());
        for millis in [0, 1, 7, 7, 300, 65_000] {
            if millis % 2 == 0 {
                left.record(millis)
            } else {
                right.record(millis)
            }
            both.record(millis);
        }
        left.merge(&right);
        assert_eq!(left, both);
    }
}
