//! How many lines of log trouble is worth.
//!
//! In: a subject that has something to say, and the time. Out: whether to say it. A source that is away says something else at
//! every try and about every pointer; what counts is told at once, and the rest is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Subject;

/// Decides what is told.
#[derive(Debug, Default)]
pub(super) struct Lines {
    told: BTreeMap<Subject, Duration>,
    /// When the minute began that is counted, and the lines in it.
    minute: Duration,
    lines: u32,
    kept_back: u64,
}

/// Whether to say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// Say it, and that this many others were kept back since the last line.
    Aloud {
        /// How many.
        kept_back: u64,
    },
    /// Keep it back.
    Nothing,
}

impl Lines {
    /// Whether `subject` may say something new at `now`, counted from some fixed start.
    pub(super) fn ask(&mut self, subject: &Subject, now: Duration) -> Say {
        if now >= self.minute + MINUTE {
            (self.minute, self.lines) = (now, 0);
            self.told.retain(|_, told| now < *told + MINUTE);
        }
        let lately = self.told.get(subject).is_some_and(|told| now < *told + MINUTE);
        if lately || self.lines >= LINES_A_MINUTE {
            self.kept_back += 1;
            return Say::Nothing;
        }
        self.told.insert(subject.clone(), now);
        self.lines += 1;
        Say::Aloud { kept_back: std::mem::take(&mut self.kept_back) }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const LINES_A_MINUTE: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::Pair;

    fn pointer(number: u32) -> Subject {
        let app = format!("app-{number}").parse().expect("an app");
        Subject::Pointer(Pair { app, region: "eu-west".parse().expect("a region") })
    }

    #[test]
    fn a_subject_speaks_once_a_minute() {
        let (mut lines, start) = (Lines::default(), Duration::from_secs(500));
        let said: Vec<Say> =
            (0..120).map(|second| lines.ask(&Subject::Source, start + Duration::from_secs(second))).collect();
        assert_eq!(said[0], Say::Aloud { kept_back: 0 });
        assert_eq!(said[60], Say::Aloud { kept_back: 59 });
        assert_eq!(said.iter().filter(|say| **say != Say::Nothing).count(), 2);
    }

    #[test]
    fn a_thousand_subjects_say_no_more_than_a_few_lines_a_minute() {
        let (mut lines, start) = (Lines::default(), Duration::from_secs(500));
        let mut aloud = |now| (0..1000).filter(|number| lines.ask(&pointer(*number), now) != Say::Nothing).count();
        assert_eq!((aloud(start), aloud(start + MINUTE / 2)), (20, 0));
        assert_eq!(aloud(start + MINUTE), 20);
        assert_eq!(lines.ask(&Subject::Source, start + 2 * MINUTE), Say::Aloud { kept_back: 980 });
    }
}
