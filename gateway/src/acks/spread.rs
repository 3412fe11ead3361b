//! Lengths of time that can be taken back: a count for every millisecond that occurred.
//!
//! [`Histogram`] only ever grows. An agent that answers a newer generation leaves the older one, so its times leave with it.

use std::collections::BTreeMap;

use schema::status::Histogram;

/// A multiset of milliseconds.
#[derive(Debug, Default)]
pub(super) struct Spread(BTreeMap<u64, u64>);

impl Spread {
    pub(super) fn add(&mut self, millis: u64) {
        *self.0.entry(millis).or_default() += 1;
    }

    /// Takes back what was added before.
    pub(super) fn remove(&mut self, millis: u64) {
        if let Some(times) = self.0.get_mut(&millis) {
            *times -= 1;
            if *times == 0 {
                self.0.remove(&millis);
            }
        }
    }

    /// Costs a few additions for every distinct length, however often it occurred.
    pub(super) fn histogram(&self) -> Histogram {
        let mut whole = Histogram::default();
        for (millis, times) in &self.0 {
            add_repeated(&mut whole, *millis, *times);
        }
        whole
    }
}

/// Adds `millis` that many times, by doubling.
fn add_repeated(to: &mut Histogram, millis: u64, mut times: u64) {
    let mut power = Histogram::default();
    power.record(millis);
    while times > 0 {
        if times & 1 == 1 {
            to.merge(&power);
        }
        let same = power.clone();
        power.merge(&same);
        times >>= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_counts_as_a_histogram_does() {
        let (mut spread, mut plain) = (Spread::default(), Histogram::default());
        for millis in [0, 1, 7, 7, 7, 300, 300, 65_000] {
            spread.add(millis);
            plain.record(millis);
        }
        assert_eq!(spread.histogram(), plain);
    }

    #[test]
    fn what_is_taken_back_was_never_there() {
        let mut spread = Spread::default();
        spread.add(7);
        spread.add(65_000);
        spread.remove(65_000);
        let mut plain = Histogram::default();
        plain.record(7);
        assert_eq!(spread.histogram(), plain);
    }
}
