//! What a window may say: which cron expressions, which time zones, how long.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use cron::Schedule;
use schema::rollout::Window;

use super::{LENGTH_MAX, LENGTH_MIN};
use crate::nearest::did_you_mean;

/// Says why a window cannot be used, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWindow {
    /// Not six or seven fields.
    #[error(
        "`{}` has {fields} fields: it takes six, seconds first, like `0 0 9 * * Mon-Fri` for nine o'clock on weekdays",
        cron.escape_debug()
    )]
    Fields {
        /// The expression.
        cron: String,
        /// How many fields it has.
        fields: usize,
    },
    /// A weekday as a number.
    #[error("`{}` has a weekday as a number, and programs do not agree which day is 1: use names, like Mon-Fri", cron.escape_debug())]
    NumericWeekday {
        /// The expression.
        cron: String,
    },
    /// A field that says nothing.
    #[error("in `{}`, `{}` is not valid for {name}", cron.escape_debug(), field.escape_debug())]
    Field {
        /// The expression.
        cron: String,
        /// The field.
        field: String,
        /// What it stands for.
        name: &'static str,
    },
    /// An expression that names no day there is.
    #[error("`{}` names no day that there ever is, so it never begins", cron.escape_debug())]
    Never {
        /// The expression.
        cron: String,
    },
    /// A time zone that is not known.
    #[error("`{}` is not a time zone{meant}", tz.escape_debug())]
    Zone {
        /// The name.
        tz: String,
        /// What may have been meant, as the end of a sentence.
        meant: String,
    },
    /// A length of nothing, or of more than a year.
    #[error("it has to last a second at least, and a year at most")]
    Length,
}

impl InvalidWindow {
    /// Which of a window's keys is wrong.
    pub fn key(&self) -> WindowKey {
        match self {
            InvalidWindow::Zone { .. } => WindowKey::Zone,
            InvalidWindow::Length => WindowKey::Length,
            _ => WindowKey::Cron,
        }
    }
}

/// The keys of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKey {
    /// `cron`
    Cron,
    /// `for`
    Length,
    /// `tz`
    Zone,
}

/// Checks what a window says. Whether it ever opens again is not asked, since that takes a clock.
///
/// # Errors
/// [`InvalidWindow`] with the first thing that is wrong.
pub fn check(window: &Window) -> Result<(), InvalidWindow> {
    let schedule = schedule(&window.cron)?;
    zone(&window.tz)?;
    if window.length.0 < LENGTH_MIN || window.length.0 > LENGTH_MAX {
        return Err(InvalidWindow::Length);
    }
    if schedule.after(&DateTime::<Utc>::UNIX_EPOCH).next().is_none() {
        return Err(InvalidWindow::Never { cron: window.cron.to_string() });
    }
    Ok(())
}

pub(super) fn zone(name: &str) -> Result<Tz, InvalidWindow> {
    name.parse().map_err(|_| {
        let meant = match did_you_mean(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())) {
            nothing if nothing.is_empty() => "; use an IANA name, like Europe/Berlin or UTC".to_owned(),
            meant => meant,
        };
        InvalidWindow::Zone { tz: name.chars().take(64).collect(), meant }
    })
}

/// What the fields stand for, and an expression in which any one of them can stand.
const FIELDS: [&str; 7] =
    ["the second", "the minute", "the hour", "the day of the month", "the month", "the weekday", "the year"];

/// At which of the fields a weekday stands.
const WEEKDAY: usize = 5;

/// The longest expression that is looked at, in bytes.
const CRON_MAX_BYTES: usize = 256;

pub(super) fn schedule(cron: &str) -> Result<Schedule, InvalidWindow> {
    let shown = || cron.chars().take(64).collect::<String>();
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let is_short_name = matches!(fields[..], [name] if name.starts_with('@'));
    if is_short_name && let Ok(schedule) = cron.parse() {
        return Ok(schedule);
    }
    if !matches!(fields.len(), 6 | 7) || cron.len() > CRON_MAX_BYTES {
        return Err(InvalidWindow::Fields { cron: shown(), fields: fields.len() });
    }
    if fields[WEEKDAY].contains(|c: char| c.is_ascii_digit()) {
        return Err(InvalidWindow::NumericWeekday { cron: shown() });
    }
    for (at, (&field, name)) in fields.iter().zip(FIELDS).enumerate() {
        let mut one = ["0", "0", "0", "*", "*", "*", "*"];
        one[at] = field;
        // A list that goes on after a blank would move all fields behind it.
        let is_whole = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | '?'));
        let is_whole = is_whole(field.chars().next()) && is_whole(field.chars().last());
        if !is_whole || one.join(" ").parse::<Schedule>().is_err() {
            return Err(InvalidWindow::Field { cron: shown(), field: field.chars().take(32).collect(), name });
        }
    }
    let whole = fields.join(" ");
    whole.parse().map_err(|_| InvalidWindow::Field { cron: shown(), field: whole, name: "an expression" })
}
