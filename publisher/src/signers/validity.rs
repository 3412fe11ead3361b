//! When a key is valid: the `valid-after` and `valid-before` of a line.

use schema::Timestamp;
use serde::Deserialize;

/// The time in which a key may sign: from `after` on, and until `before`, each open where it is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// Valid from this moment on.
    pub after: Option<Timestamp>,
    /// Valid until this moment, itself included.
    pub before: Option<Timestamp>,
}

/// Parses a time as in `20260801Z`, `202608010930Z` or `20260801093000Z`.
///
/// # Errors
/// What is wrong, as a fragment. A time without `Z` is refused: OpenSSH reads it in the local time zone of whatever
/// machine looks, so the same file would mean different times in different places.
pub(super) fn parse_moment(text: &str) -> Result<Timestamp, String> {
    let shown = text.escape_debug();
    let Some(digits) = text.strip_suffix('Z') else {
        return Err(format!("gives the time `{shown}` without a time zone; end it with `Z` and write it in UTC"));
    };
    let refused =
        || format!("gives `{shown}`, which is no time; write it like 20260801Z, 202608010930Z or 20260801093000Z");
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(digits.len(), 8 | 12 | 14) {
        return Err(refused());
    }
    let padded = format!("{digits:0<14}");
    let part = |from: usize, to: usize| &padded[from..to];
    let spelled =
        format!("{}-{}-{}T{}:{}:{}.000Z", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14));
    spelled.parse().map_err(|_| refused())
}

/// A time as people write it in a policy file: `2026-08-01T09:30:00Z`, with or without milliseconds, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment(pub Timestamp);

/// Says that a text is not a time in UTC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no time; write it in UTC, like 2026-08-01T09:30:00Z", .0.escape_debug())]
pub struct InvalidMoment(String);

impl TryFrom<String> for Moment {
    type Error = InvalidMoment;

    fn try_from(text: String) -> Result<Moment, InvalidMoment> {
        let whole_seconds =
            text.strip_suffix('Z').filter(|text| !text.contains('.')).map(|text| format!("{text}.000Z"));
        let moment = whole_seconds.as_deref().unwrap_or(&text).parse();
        moment.map(Moment).map_err(|_| InvalidMoment(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_read_in_utc() {
        for (text, moment) in [
            ("20260801Z", "2026-08-01T00:00:00.000Z"),
            ("202608010930Z", "2026-08-01T09:30:00.000Z"),
            ("20260801093015Z", "2026-08-01T09:30:15.000Z"),
        ] {
            assert_eq!(parse_moment(text).map(|read| read.to_string()), Ok(moment.to_owned()));
        }
    }

    #[test]
    fn a34_a_time_without_z_is_refused_with_a_hint() {
        let refused = parse_moment("20260801").expect_err("local time");
        assert!(refused.contains("end it with `Z`"), "{refused}");
        for bad in [
            "Z",
            "2026Z",
            "20261301Z",
            "20260230Z",
            "202608012460Z",
            "2026080109Z",
            "+0260801Z",
            "20260801z",
            "２0260801Z",
        ] {
            assert!(parse_moment(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_are_in_utc_with_or_without_milliseconds() {
        for text in ["2026-08-01T09:30:00Z", "2026-08-01T09:30:00.000Z"] {
            let read = Moment::try_from(text.to_owned()).expect(text);
            assert_eq!(read.0.to_string(), "2026-08-01T09:30:00.000Z");
        }
        for bad in
            ["2026-08-01", "2026-08-01T09:30:00", "2026-08-01T09:30:00+02:00", "2026-08-01T25:00:00Z", "soon", ""]
        {
            assert!(Moment::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
