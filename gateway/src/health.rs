//! How it goes: when the source last answered, and what is wrong now, with it or with our own files.

mod lines;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use schema::Timestamp;
use tokio::time::Instant;
use tracing::{info, warn};

use self::lines::{Lines, Say};
use crate::causes::in_one_line;
use crate::pair::Pair;

/// What something may be wrong with. The first of several is the one to tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// It does not answer, or not what was asked.
    Source,
    /// The next trust root.
    Root,
    /// One pointer.
    Pointer(Pair),
    /// Taking our summary.
    Report,
    /// Taking what agents say.
    Relay,
    /// The files of our own certificate, or of those who judge others'.
    Certificates,
    /// The files that list agents.
    Registry,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Source => f.write_str("the source"),
            Subject::Root => f.write_str("the trust root"),
            Subject::Pointer(pair) => write!(f, "the pointer of {pair}"),
            Subject::Report => f.write_str("reporting upwards"),
            Subject::Relay => f.write_str("sending upwards what agents say"),
            Subject::Certificates => f.write_str("the files of `tls`, so the ones before are used on"),
            Subject::Registry => f.write_str("the files of `agents`, so the ones before count on"),
        }
    }
}

/// What is known of the source, and of our own files.
#[derive(Debug)]
pub(crate) struct Health {
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_answer: Option<Timestamp>,
    surveyed: bool,
    errors: u64,
    troubles: BTreeMap<Subject, Trouble>,
    lines: Lines,
}

#[derive(Debug)]
struct Trouble {
    problem: String,
    /// Whether it was logged, so that its end is worth a line too.
    told: bool,
}

impl Subject {
    fn is_the_sources(&self) -> bool {
        !matches!(self, Subject::Certificates | Subject::Registry)
    }
}

impl Default for Health {
    fn default() -> Self {
        Health { begun: Instant::now(), state: Mutex::default() }
    }
}

impl Health {
    /// Notes an answer of any use.
    pub(crate) fn answered(&self, now: Timestamp) {
        self.state().last_answer = Some(now);
    }

    /// Notes that all there was has been looked at once, so that what is not on the board does not exist.
    pub(crate) fn surveyed(&self) {
        self.state().surveyed = true;
    }

    /// Whether all there was has been looked at once.
    pub(crate) fn is_surveyed(&self) -> bool {
        self.state().surveyed
    }

    /// Notes what is wrong; logs it when that is news, but no more of it than anybody could read.
    pub(crate) fn trouble(&self, subject: Subject, error: &dyn Error) {
        let problem = in_one_line(error);
        let now = self.begun.elapsed();
        let mut state = self.state();
        state.errors += u64::from(subject.is_the_sources());
        let known = state.troubles.get(&subject);
        if known.is_some_and(|known| known.problem == problem) {
            return;
        }
        let told_before = known.is_some_and(|known| known.told);
        let said = state.lines.ask(&subject, now);
        if let Say::Aloud { kept_back } = said {
            warn!(%subject, kept_back, "Trouble with {subject}: {problem}");
        }
        let told = told_before || said != Say::Nothing;
        state.troubles.insert(subject, Trouble { problem, told });
    }

    /// Whether something is wrong with it.
    pub(crate) fn is_troubled(&self, subject: &Subject) -> bool {
        self.state().troubles.contains_key(subject)
    }

    /// Notes that nothing is wrong any more.
    pub(crate) fn fine(&self, subject: &Subject) {
        if self.state().troubles.remove(subject).is_some_and(|trouble| trouble.told) {
            info!(%subject, "No more trouble with {subject}");
        }
    }

    /// When the source last answered.
    pub(crate) fn last_answer(&self) -> Option<Timestamp> {
        self.state().last_answer
    }

    /// What is wrong, in one line.
    pub(crate) fn problem(&self) -> Option<String> {
        let state = self.state();
        let first = state.troubles.values().next()?;
        match state.troubles.len() - 1 {
            0 => Some(first.problem.clone()),
            more => Some(format!("{} (and {more} more)", first.problem)),
        }
    }

    /// How often something was wrong with the source.
    pub(crate) fn errors(&self) -> u64 {
        self.state().errors
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
