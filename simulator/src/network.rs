//! Chance on the way: how long a message takes, and whether it arrives at all.
//!
//! A message that is lost is lost in silence, the worst way there is: whoever waits for it finds out when his patience is over, and
//! what he does then is for the follower's schedule to say. Losses that the network itself makes good are part of the latency.

use std::time::Duration;

use fastrand::Rng;

use crate::latency::Latency;

/// What lies between two that talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// A few racks.
    Edge,
    /// The way to the nearest cache.
    Cdn,
    /// An ocean.
    Wan,
}

/// All links, and the chance of the run.
pub(crate) struct Network {
    latency: Latency,
    /// The chance that one of two ways is lost, so that an exchange is by the chance that was asked for.
    way_lost: f64,
    pub(crate) rng: Rng,
}

impl Network {
    /// `loss` is the share of exchanges that are lost.
    pub(crate) fn new(latency: Latency, loss: f64, seed: u64) -> Network {
        Network { latency, way_lost: 1.0 - (1.0 - loss).sqrt(), rng: Rng::with_seed(seed) }
    }

    /// Whether a message is lost.
    pub(crate) fn loses(&mut self) -> bool {
        self.way_lost > 0.0 && self.rng.f64() < self.way_lost
    }

    /// How long a message takes that is not lost.
    pub(crate) fn way(&mut self, link: Link) -> Duration {
        let median = match link {
            Link::Edge => self.latency.edge,
            Link::Cdn => self.latency.cdn,
            Link::Wan => self.latency.wan,
        };
        if median.is_zero() {
            return Duration::ZERO;
        }
        let half = median / 2;
        if self.latency.spread == 0.0 { half } else { half.mul_f64((self.latency.spread * self.normal()).exp()) }
    }

    /// Uniform from `1 - spread` to `1 + spread` times `middle`.
    pub(crate) fn around(&mut self, middle: Duration, spread: f64) -> Duration {
        if spread == 0.0 { middle } else { middle.mul_f64(1.0 + spread * (2.0 * self.rng.f64() - 1.0)) }
    }

    /// A number of the standard normal distribution, by the method of Box and Muller.
    fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.rng.f64(), self.rng.f64());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_exchanges_are_lost_as_were_asked_for_and_half_of_the_ways_are_quicker_than_the_median() {
        let mut network = Network::new(Latency::default(), 0.1, 3);
        let lost = (0..100_000).filter(|_| network.loses() | network.loses()).count();
        assert!((9_000..11_000).contains(&lost), "{lost}");
        let quick = (0..10_000).filter(|_| network.way(Link::Wan) < Duration::from_millis(40)).count();
        assert!((4_500..5_500).contains(&quick), "{quick}");
    }
}
