//! How long a question and its answer are on the way, by what lies between.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schema::time::Length;
use serde::Serialize;

/// Round trips, without the time that anybody works: each is a median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Between an agent and a gateway of its region. Default 2 ms.
    pub edge: Duration,
    /// Between whoever asks a CDN and its nearest cache. Default 10 ms.
    pub cdn: Duration,
    /// Between regions: to the publisher, to the bucket, to a gateway elsewhere. Default 80 ms.
    pub wan: Duration,
    /// How much they differ: the deviation of the logarithm of a log-normal distribution. Default 0.3, with which one in a
    /// hundred takes twice the median; 0 means that all are the same.
    pub spread: f64,
}

impl Latency {
    /// What comes from afar as soon as it is sent.
    pub const ZERO: Latency = Latency { edge: Duration::ZERO, cdn: Duration::ZERO, wan: Duration::ZERO, spread: 0.0 };
}

impl Default for Latency {
    fn default() -> Self {
        let millis = Duration::from_millis;
        Latency { edge: millis(2), cdn: millis(10), wan: millis(80), spread: 0.3 }
    }
}

/// Says that a text names no latencies.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no latency; write round trips like edge=2ms,cdn=10ms,wan=80ms,spread=0.3, any part of that, or zero", part.escape_debug())]
pub struct InvalidLatency {
    part: String,
}

impl FromStr for Latency {
    type Err = InvalidLatency;

    fn from_str(text: &str) -> Result<Latency, InvalidLatency> {
        if text == "zero" {
            return Ok(Latency::ZERO);
        }
        let mut latency = Latency::default();
        for part in text.split(',') {
            let invalid = || InvalidLatency { part: part.to_owned() };
            let (name, value) = part.split_once('=').ok_or_else(invalid)?;
            let length = || Length::try_from(value.to_owned()).map(|length| length.0).map_err(|_| invalid());
            match name {
                "edge" => latency.edge = length()?,
                "cdn" => latency.cdn = length()?,
                "wan" => latency.wan = length()?,
                "spread" => {
                    let spread = value.parse().ok().filter(|spread| (0.0..=2.0).contains(spread));
                    latency.spread = spread.ok_or_else(invalid)?;
                }
                _ => return Err(invalid()),
            }
        }
        Ok(latency)
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |length: Duration| String::from(Length(length));
        let Latency { edge, cdn, wan, spread } = *self;
        write!(f, "edge={},cdn={},wan={},spread={spread}", text(edge), text(cdn), text(wan))
    }
}

impl Serialize for Latency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_read_in_part_and_told_whole() {
        let latency: Latency = "wan=120ms,spread=0".parse().expect("two parts");
        assert_eq!(latency.to_string(), "edge=2ms,cdn=10ms,wan=120ms,spread=0");
        assert_eq!(latency.to_string().parse(), Ok(latency));
        assert_eq!("zero".parse(), Ok(Latency::ZERO));
        for wrong in ["", "wan", "wan=5", "far=5ms", "spread=-1", "spread=NaN", "edge=1ms,"] {
            assert!(wrong.parse::<Latency>().is_err(), "{wrong}");
        }
    }
}
