//! How following the source goes: when it last answered, and what is wrong now.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use schema::Timestamp;
use tracing::{info, warn};

use crate::causes::in_one_line;
use crate::pair::Pair;

/// What may be wrong with the source. The first of several is the one to tell.
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
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Source => f.write_str("the source"),
            Subject::Root => f.write_str("the trust root"),
            Subject::Pointer(pair) => write!(f, "the pointer of {pair}"),
            Subject::Report => f.write_str("reporting upwards"),
        }
    }
}

/// What is known of the source.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_answer: Option<Timestamp>,
    surveyed: bool,
    errors: u64,
    troubles: BTreeMap<Subject, String>,
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

    /// Notes what is wrong; logs it when that is news.
    pub(crate) fn trouble(&self, subject: Subject, error: &dyn Error) {
        let problem = in_one_line(error);
        let mut state = self.state();
        state.errors += 1;
        if state.troubles.get(&subject) != Some(&problem) {
            warn!(%subject, "Trouble with {subject}: {problem}");
            state.troubles.insert(subject, problem);
        }
    }

    /// Whether something is wrong with it.
    pub(crate) fn is_troubled(&self, subject: &Subject) -> bool {
        self.state().troubles.contains_key(subject)
    }

    /// Notes that nothing is wrong any more.
    pub(crate) fn fine(&self, subject: &Subject) {
        if self.state().troubles.remove(subject).is_some() {
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
            0 => Some(first.clone()),
            more => Some(format!("{first} (and {more} more)")),
        }
    }

    /// How often something was wrong.
    pub(crate) fn errors(&self) -> u64 {
        self.state().errors
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
