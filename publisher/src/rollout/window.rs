//! When a rollout may begin and go on.
//!
//! In: the windows and freezes of a policy, and `now`. Out: [`Standing`]: open, or closed, until when and why. A window lasts
//! from each begin that its cron expression names, by the clock of its time zone, for its length; where several overlap, all
//! of them count. Freezes win over windows. Windows that cannot be read never open and freezes that cannot be read never
//! end, so a record of another version can hold a rollout back and never let one loose.
//!
//! A length is time that passes, not what a clock shows. A time that the clock skips in spring counts as the moment at which
//! it jumps, so that no freeze is lost; one that it shows twice in autumn is a begin both times.

mod begins;
mod check;

use std::time::Duration;

use schema::Timestamp;
use schema::rollout::{Policy, Window};

pub use check::{InvalidWindow, WindowKey, check};

use begins::Begins;

/// The longest that a window may last.
pub const LENGTH_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The shortest.
pub const LENGTH_MIN: Duration = Duration::from_secs(1);

/// How many ends of freezes and begins of windows are looked at for the next moment that is open.
const LOOKED_AT_MAX: usize = 2_000;

/// Whether a rollout may begin or go on now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Open,
    /// It may not.
    Closed {
        /// The next moment at which it may, as far as it can be told: in a tangle of very short windows and freezes it is not
        /// looked for to the end.
        opens: Option<Timestamp>,
        /// What closes it, for people.
        why: String,
    },
}

/// Tells whether `policy` lets a rollout begin or go on at `now`.
pub fn standing(policy: &Policy, now: Timestamp) -> Standing {
    let (windows, freezes) = (Windows::of(&policy.windows), Windows::of(&policy.freezes));
    let why = match freezes.freeze(now) {
        Some(Freeze::Until(_, window)) => format!("the freeze {} is on", named(window)),
        Some(Freeze::Unreadable(window)) => format!("this version cannot read the freeze {}", named(window)),
        None if windows.are_open(now) => return Standing::Open,
        None => "no window of the policy is open".to_owned(),
    };
    Standing::Closed { opens: opens(&windows, &freezes, now), why }
}

fn named(window: &Window) -> String {
    format!("`{}` for {} ({})", window.cron.escape_debug(), String::from(window.length), window.tz.escape_debug())
}

/// The next moment after `now` that is within a window and outside every freeze.
fn opens(windows: &Windows<'_>, freezes: &Windows<'_>, now: Timestamp) -> Option<Timestamp> {
    let mut at = now;
    for _ in 0..LOOKED_AT_MAX {
        at = match freezes.freeze(at) {
            Some(Freeze::Until(ends, _)) => ends,
            Some(Freeze::Unreadable(_)) => return None,
            None if windows.are_open(at) => return Some(at),
            None => windows.next_begin(at)?,
        };
    }
    None
}

/// The windows, or the freezes, of a policy.
struct Windows<'w>(Vec<(&'w Window, Option<Begins>)>);

/// What holds a rollout back.
enum Freeze<'w> {
    /// This one, until then at least.
    Until(Timestamp, &'w Window),
    /// Perhaps this one, which cannot be read.
    Unreadable(&'w Window),
}

impl<'w> Windows<'w> {
    fn of(windows: &'w [Window]) -> Windows<'w> {
        Windows(windows.iter().map(|window| (window, Begins::of(window).ok())).collect())
    }

    /// Whether `at` is in one of them. Where there are none, everything is.
    fn are_open(&self, at: Timestamp) -> bool {
        self.0.is_empty() || self.0.iter().flat_map(|(_, begins)| begins).any(|begins| begins.ends(at).is_some())
    }

    fn next_begin(&self, after: Timestamp) -> Option<Timestamp> {
        self.0.iter().flat_map(|(_, begins)| begins).filter_map(|begins| begins.next_after(after)).min()
    }

    /// The freeze that `at` is in, the one that lasts longest if there are several.
    fn freeze(&self, at: Timestamp) -> Option<Freeze<'w>> {
        if let Some((window, _)) = self.0.iter().find(|(_, begins)| begins.is_none()) {
            return Some(Freeze::Unreadable(window));
        }
        let on = self.0.iter().filter_map(|(window, begins)| Some((begins.as_ref()?.ends(at)?, *window)));
        on.max_by_key(|&(ends, _)| ends).map(|(ends, window)| Freeze::Until(ends, window))
    }
}

#[cfg(test)]
mod tests;
