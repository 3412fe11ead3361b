//! The moments at which a window begins: a cron expression, read by the clock of a time zone.
//!
//! The expression is asked about dates and times alone, as a clock on the wall shows them. What moments those are is told
//! here, because clocks skip an hour in spring and show one twice in autumn.

use std::time::Duration;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use cron::Schedule;
use schema::Timestamp;
use schema::rollout::Window;

use super::LENGTH_MAX;
use super::check::{self, InvalidWindow};

/// Longer than any clock was ever set forward or back.
const JUMP_MAX: TimeDelta = TimeDelta::hours(48);

/// When a window begins and how long it lasts.
pub(super) struct Begins {
    schedule: Schedule,
    tz: Tz,
    length: Duration,
}

impl Begins {
    pub(super) fn of(window: &Window) -> Result<Begins, InvalidWindow> {
        let (schedule, tz) = (check::schedule(&window.cron)?, check::zone(&window.tz)?);
        // A longer one of another version is closed too early rather than searched for without end.
        Ok(Begins { schedule, tz, length: window.length.0.min(LENGTH_MAX) })
    }

    /// Until when `at` is within the window, as far as the first begin tells that is not over yet.
    pub(super) fn ends(&self, at: Timestamp) -> Option<Timestamp> {
        let length = i64::try_from(self.length.as_millis()).unwrap_or(i64::MAX);
        let began = self.after(moment(at)? - TimeDelta::milliseconds(length))?;
        (timestamp(began) <= at).then(|| timestamp(began).after(self.length))
    }

    /// The first begin after `at`.
    pub(super) fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        self.after(moment(at)?).map(timestamp)
    }

    fn after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let shown = self.tz.from_utc_datetime(&at.naive_utc()).naive_local();
        let next =
            self.shown_after(shown).and_then(|shown| self.moments(shown).into_iter().flatten().find(|m| *m > at));
        // Within an hour that will be shown once more, what lies behind on the clock face comes again.
        let again = match self.moments(shown) {
            [Some(first), Some(second)] if first == at => {
                let repeats = self.jump(first, second);
                let shown = self.tz.from_utc_datetime(&repeats.naive_utc()).naive_local();
                let shown = self.shown_after(shown - TimeDelta::seconds(1));
                shown.and_then(|shown| self.moments(shown).into_iter().flatten().find(|moment| *moment >= repeats))
            }
            _ => None,
        };
        [next, again].into_iter().flatten().min()
    }

    /// What the expression names next on a clock that shows `shown` and neither jumps.
    fn shown_after(&self, shown: NaiveDateTime) -> Option<NaiveDateTime> {
        self.schedule.after(&shown.and_utc()).next().map(|next| next.naive_utc())
    }

    /// When the clock shows `shown`: once, twice, or, where it skips that time, at the moment it jumps.
    fn moments(&self, shown: NaiveDateTime) -> [Option<DateTime<Utc>>; 2] {
        match self.tz.from_local_datetime(&shown) {
            MappedLocalTime::Single(moment) => [Some(moment.to_utc()), None],
            MappedLocalTime::Ambiguous(first, second) => [Some(first.to_utc()), Some(second.to_utc())],
            MappedLocalTime::None => {
                let before = self.tz.from_local_datetime(&(shown - JUMP_MAX)).earliest();
                let after = self.tz.from_local_datetime(&(shown + JUMP_MAX)).latest();
                match (before, after) {
                    (Some(before), Some(after)) => [Some(self.jump(before.to_utc(), after.to_utc())), None],
                    _ => [None, None],
                }
            }
        }
    }

    /// The first second after `before` and until `after` at which the clock runs by other rules than at `before`.
    fn jump(&self, before: DateTime<Utc>, after: DateTime<Utc>) -> DateTime<Utc> {
        let offset = |moment: DateTime<Utc>| {
            let local = self.tz.from_utc_datetime(&moment.naive_utc()).naive_local();
            local - moment.naive_utc()
        };
        let (mut same, mut other) = (before.timestamp(), after.timestamp());
        while other - same > 1 {
            let middle = same + (other - same) / 2;
            let Some(moment) = DateTime::from_timestamp(middle, 0) else { break };
            if offset(moment) == offset(before) { same = middle } else { other = middle }
        }
        DateTime::from_timestamp(other, 0).unwrap_or(after)
    }
}

fn moment(at: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(at.unix_millis())
}

fn timestamp(moment: DateTime<Utc>) -> Timestamp {
    Timestamp::from_unix_millis(moment.timestamp_millis())
}
