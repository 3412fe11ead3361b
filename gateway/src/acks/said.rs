//! What one agent said of one app and region: its newest word.
//!
//! In: acks, in any order and any number of times. Out: the newest of them: of the highest (epoch, generation); within one
//! run of the agent the one that it counted highest; between runs the one with the newest `at`. A clock may be set back
//! within a run, so one run's newest word can only be compared with another's when both are known: one is kept for each of
//! the last few runs. So what is newest depends on which acks came, and not on how they came.

use std::cmp::Ordering;
use std::sync::Arc;

use schema::Timestamp;

use super::word::Word;

/// The words of one agent about the newest generation it spoke of: one for each run, the newest first; never none.
#[derive(Debug)]
pub(super) struct Said {
    words: Vec<Arc<Word>>,
    /// When it was last heard, by our clock.
    pub(super) heard: Timestamp,
}

/// What a word that was not known before changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The agent says something else than before.
    Newer,
    /// It says the same once more.
    Again,
    /// It said something newer already, in another run.
    Older,
}

impl Said {
    /// The first word of an agent.
    pub(super) fn first(word: Word, now: Timestamp) -> Said {
        Said { words: vec![Arc::new(word)], heard: now }
    }

    /// The newest word.
    pub(super) fn newest(&self) -> &Arc<Word> {
        self.words.first().expect("there is a first word, and the newest is never dropped")
    }

    /// The last word of each run, the newest first: whoever hears them all, in any order, knows what is known here.
    pub(super) fn words(&self) -> &[Arc<Word>] {
        &self.words
    }

    /// Whether `word` was heard before, or what is newer.
    pub(super) fn knows(&self, word: &Word) -> bool {
        match word.generation().cmp(&self.newest().generation()) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => {
                let same_run = self.words.iter().find(|known| known.boot == word.boot);
                same_run.is_some_and(|known| known.cmp_in_run(word).is_ge())
            }
        }
    }

    /// Hears a word that it does not know.
    pub(super) fn hear(&mut self, word: Word, now: Timestamp) -> Heard {
        self.heard = now;
        let before = Arc::clone(self.newest());
        let is_newer_generation = word.generation() > before.generation();
        self.words.retain(|known| !is_newer_generation && known.boot != word.boot);
        self.words.push(Arc::new(word));
        self.words.sort_by(|one, other| other.cmp_between_runs(one));
        self.words.truncate(RUNS_MAX);
        match self.newest() {
            newest if Arc::ptr_eq(newest, &before) => Heard::Older,
            newest if newest.says_the_same_as(&before) => Heard::Again,
            _ => Heard::Newer,
        }
    }
}

/// Runs of one agent within one generation; who restarts more often than that in one has other troubles.
const RUNS_MAX: usize = 4;
