//! When something has to be done with which entry, coarsely.
//!
//! Of the records of a place in the slab the earliest counts. A deadline that moves back finds its record too early, and is filed
//! again then, so a notification files nothing. One that moves forward is filed at once; the record that it was filed under before
//! means nothing any more, and is passed over when its tick comes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A moment, in steps of [`STEP`] since the lot was opened; never too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u32);

/// How fine deadlines are.
const STEP: Duration = Duration::from_millis(125);

/// Records of deadlines.
#[derive(Debug)]
pub(super) struct Deadlines {
    begun: Instant,
    filed: BTreeMap<Tick, Vec<u32>>,
}

impl Tick {
    /// Of what has no deadline.
    pub(super) const NEVER: Tick = Tick(u32::MAX);
}

impl Deadlines {
    pub(super) fn new(begun: Instant) -> Deadlines {
        Deadlines { begun, filed: BTreeMap::new() }
    }

    /// The first tick that is not before `moment`.
    pub(super) fn tick(&self, moment: Instant) -> Tick {
        let steps = moment.saturating_duration_since(self.begun).as_millis().div_ceil(STEP.as_millis());
        Tick(u32::try_from(steps).unwrap_or(u32::MAX))
    }

    /// Notes that the place `index` is to be looked at when `tick` comes.
    pub(super) fn file(&mut self, tick: Tick, index: u32) {
        self.filed.entry(tick).or_default().push(index);
    }

    /// When the first record is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.filed.first_key_value().map(|(tick, _)| self.begun + STEP * tick.0)
    }

    /// Takes out the records of one tick that has come by `now`, if there is any.
    pub(super) fn due(&mut self, now: Instant) -> Option<(Tick, Vec<u32>)> {
        let first = self.filed.first_entry()?;
        (self.begun + STEP * first.key().0 <= now).then(|| first.remove_entry())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_due_too_early_or_never() {
        let begun = Instant::now();
        let mut deadlines = Deadlines::new(begun);
        let moments = [0, 1, 124, 125, 126, 1000, 120_000].map(|ms| begun + Duration::from_millis(ms));
        for (index, moment) in (0..).zip(moments) {
            deadlines.file(deadlines.tick(moment), index);
        }
        let mut due = Vec::new();
        for step in 0..2000 {
            let now = begun + STEP * step;
            while let Some((_, indexes)) = deadlines.due(now) {
                for index in indexes {
                    let late = now.saturating_duration_since(moments[index as usize]);
                    assert!(now >= moments[index as usize] && late < STEP, "{index} is {late:?} late");
                    due.push(index);
                }
            }
        }
        assert_eq!(due, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(deadlines.next(), None);
    }
}
