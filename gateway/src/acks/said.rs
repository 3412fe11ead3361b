//! What one agent said of one app and region: its newest word.
//!
//! In: acks, in any order and any number of times. Out: the newest of them: of the highest (epoch, generation); within one
//! run of the agent the one that it counted highest; between runs the one with the newest `at`. A clock may be set back
//! within a run, so one run's newest word can only be compared with another's when both are known: one is kept for each of
//! the last few runs. So what is newest depends on which acks came, and not on how they came.

use std::cmp::Ordering;

use schema::ack::{Boot, SignedAck, Step};
use schema::{Digest, Epoch, Generation, Outcome, Timestamp};

/// The words of one agent about the newest generation it spoke of: one for each run, the newest first; never none.
#[derive(Debug)]
pub(super) struct Said {
    words: Vec<Word>,
    /// When it was last heard, by our clock.
    pub(super) heard: Timestamp,
}

/// One thing that an agent said.
#[derive(Debug)]
pub(super) struct Word {
    boot: Boot,
    n: u64,
    pub(super) group: GroupKey,
    pub(super) at: Timestamp,
    pub(super) outcome: Outcome,
    pub(super) step: Option<Step>,
    pub(super) reason: Option<Box<str>>,
    pub(super) notified_ms: Option<u64>,
    pub(super) applied_ms: Option<u64>,
}

/// What a word is about.
pub(super) type GroupKey = (Epoch, Generation, Digest);

/// Whether a word changed what is newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Newer,
    Known,
}

impl Said {
    /// The first word of an agent.
    pub(super) fn first(word: Word, now: Timestamp) -> Said {
        Said { words: vec![word], heard: now }
    }

    /// The newest word.
    pub(super) fn newest(&self) -> &Word {
        self.words.first().expect("there is a first word, and the newest is never dropped")
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
        let before = self.newest().name();
        let is_newer_generation = word.generation() > self.newest().generation();
        self.words.retain(|known| !is_newer_generation && known.boot != word.boot);
        self.words.push(word);
        self.words.sort_by(|one, other| other.cmp_between_runs(one));
        self.words.truncate(RUNS_MAX);
        if self.newest().name() == before { Heard::Known } else { Heard::Newer }
    }
}

impl Word {
    /// `issued` is when the pointer of its generation was first signed, where that is known; without it no latency is counted.
    pub(super) fn of(SignedAck { boot, n, ack }: &SignedAck, issued: Option<Timestamp>) -> Word {
        let since_issued = |moment: Timestamp| {
            // A clock that runs behind the publisher's would give a length below zero: that measured nothing.
            let issued = issued.filter(|issued| moment >= *issued)?;
            u64::try_from(moment.since(issued).as_millis()).ok()
        };
        Word {
            boot: *boot,
            n: *n,
            group: (ack.epoch, ack.generation, ack.attempted),
            at: ack.at,
            outcome: ack.outcome,
            step: ack.step,
            reason: ack.reason.as_deref().map(|reason| schema::text::one_line(reason, REASON_MAX).into()),
            notified_ms: since_issued(ack.notified_at),
            applied_ms: since_issued(ack.at).filter(|_| ack.outcome == Outcome::Applied),
        }
    }

    fn generation(&self) -> (Epoch, Generation) {
        (self.group.0, self.group.1)
    }

    /// Tells it from every other word of an honest agent.
    fn name(&self) -> (Boot, u64, Timestamp, GroupKey, Outcome) {
        (self.boot, self.n, self.at, self.group, self.outcome)
    }

    fn cmp_in_run(&self, other: &Word) -> Ordering {
        self.n.cmp(&other.n).then_with(|| self.said().cmp(&other.said()))
    }

    fn cmp_between_runs(&self, other: &Word) -> Ordering {
        let by_clock = self.at.cmp(&other.at);
        by_clock.then_with(|| self.boot.to_string().cmp(&other.boot.to_string())).then_with(|| self.cmp_in_run(other))
    }

    /// All that was said takes part, so that of two contradicting words with one number the same one is kept whichever came
    /// first.
    fn said(&self) -> impl Ord + '_ {
        let step = self.step.map(|step| step as u8);
        (self.at, self.outcome, self.group.2, step, self.reason.as_deref(), self.notified_ms)
    }
}

/// Runs of one agent within one generation; who restarts more often than that in one has other troubles.
const RUNS_MAX: usize = 4;
/// How many characters of an agent's reason are kept.
pub(super) const REASON_MAX: usize = 256;
