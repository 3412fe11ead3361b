//! Moments, as signed documents spell them, and lengths of time, as people do.
//!
//! No clock of its own: whoever needs `now` passes it in.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A moment in UTC to the millisecond, spelled `2026-08-01T09:30:00.250Z` and in no other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00.000Z.
    pub const UNIX_EPOCH: Timestamp = Timestamp(0);

    /// The moment that many milliseconds after 1970, kept within the years 1970 to 9999.
    pub fn from_unix_millis(millis: i64) -> Timestamp {
        Timestamp(millis.clamp(0, LAST_MILLI))
    }

    /// Milliseconds since 1970.
    pub fn unix_millis(self) -> i64 {
        self.0
    }

    /// The moment `length` later, at most the end of the year 9999.
    pub fn after(self, length: Duration) -> Timestamp {
        let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_unix_millis(self.0.saturating_add(millis))
    }

    /// How long after `earlier` this is; zero where it is not after it.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl From<std::time::SystemTime> for Timestamp {
    fn from(time: std::time::SystemTime) -> Timestamp {
        Timestamp::from_unix_millis(DateTime::<Utc>::from(time).timestamp_millis())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = DateTime::<Utc>::from_timestamp_millis(self.0).unwrap_or_default();
        f.pad(&moment.format(SPELLING).to_string())
    }
}

/// Says that a text is not a moment in the one spelling.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a time of the form 2026-08-01T09:30:00.250Z", .0.escape_debug())]
pub struct InvalidTimestamp(String);

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let refuse = || InvalidTimestamp(text.chars().take(40).collect());
        let moment = DateTime::parse_from_rfc3339(text).map_err(|_| refuse())?;
        let timestamp = Timestamp::from_unix_millis(moment.timestamp_millis());
        if timestamp.to_string() == text { Ok(timestamp) } else { Err(refuse()) }
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> String {
        timestamp.to_string()
    }
}

/// A length of time in a configuration file: `250ms`, `10s`, `2m`, `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Length(pub Duration);

impl TryFrom<String> for Length {
    type Error = InvalidLength;

    fn try_from(text: String) -> Result<Self, InvalidLength> {
        humantime::parse_duration(&text).map(Length).map_err(|source| InvalidLength { offered: text, source })
    }
}

impl From<Length> for String {
    fn from(length: Length) -> String {
        humantime::format_duration(length.0).to_string()
    }
}

/// Says that a text is not a length of time.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a length of time; write it like 250ms, 10s, 2m or 1h 30m", offered.escape_debug())]
pub struct InvalidLength {
    offered: String,
    #[source]
    source: humantime::DurationError,
}

const SPELLING: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";
const LAST_MILLI: i64 = 253_402_300_799_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_one_spelling() {
        let text = "2026-08-01T09:30:00.250Z";
        assert_eq!(text.parse::<Timestamp>().map(|moment| moment.to_string()), Ok(text.to_owned()));
        for bad in [
            "2026-08-01T09:30:00Z",
            "2026-08-01T09:30:00.250+00:00",
            "2026-08-01t09:30:00.250z",
            "2026-08-01 09:30:00.250Z",
            "now",
            "",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lengths_are_never_negative() {
        let noon = Timestamp::from_unix_millis(1_000);
        assert_eq!(noon.after(Duration::from_secs(2)).since(noon), Duration::from_secs(2));
        assert_eq!(noon.since(noon.after(Duration::from_secs(2))), Duration::ZERO);
        assert_eq!(noon.after(Duration::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn lengths_are_written_as_people_write_them() {
        assert_eq!(Length::try_from("1h 30m".to_owned()).map(|length| length.0).ok(), Some(Duration::from_secs(5400)));
        assert!(Length::try_from("10".to_owned()).is_err());
    }
}
