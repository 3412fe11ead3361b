//! How far a commit got, and when: for all agents, and for each step of its rollout.

use crate::clock::Moment;
use crate::fleet::brief;

/// All commits so far.
#[derive(Default)]
pub(crate) struct Propagation {
    pub(crate) commits: Vec<Spread>,
    /// Steps of rollouts so far, counted from one over all commits.
    pub(crate) steps: Vec<Stride>,
}

/// One commit.
pub(crate) struct Spread {
    pub(crate) committed: Moment,
    pub(crate) times: Times,
    /// How it ended.
    pub(crate) ended: Option<(Moment, Box<str>)>,
    /// Agents that ever ran it.
    pub(crate) on: u64,
    /// How many may have.
    pub(crate) allowed: u64,
}

/// One step of a rollout.
pub(crate) struct Stride {
    pub(crate) commit: u16,
    pub(crate) name: Box<str>,
    pub(crate) began: Moment,
    pub(crate) times: Times,
}

/// When agents saw the pointer, and when they had done what it asks, in hundredths of a millisecond.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) seen: Vec<u32>,
    pub(crate) done: Vec<u32>,
}

impl Propagation {
    /// A commit is made.
    pub(crate) fn commit(&mut self, now: Moment) {
        self.commits.push(Spread { committed: now, times: Times::default(), ended: None, on: 0, allowed: 0 });
    }

    /// The number of the newest commit, counted from one; zero before the first.
    pub(crate) fn newest(&self) -> u16 {
        u16::try_from(self.commits.len()).expect("a scenario has fewer commits than that")
    }

    /// A step begins.
    pub(crate) fn begin(&mut self, name: &str, now: Moment) {
        let commit = self.newest();
        self.steps.push(Stride { commit, name: name.into(), began: now, times: Times::default() });
    }

    /// The number of the step under way, counted from one.
    pub(crate) fn step(&self) -> u16 {
        u16::try_from(self.steps.len()).expect("a run has fewer steps than that")
    }

    /// The commit of that number, if it is not the beginning.
    pub(crate) fn of(&mut self, commit: u16) -> Option<&mut Spread> {
        self.commits.get_mut(usize::from(commit).checked_sub(1)?)
    }

    /// The step of that number, if it is one.
    pub(crate) fn in_step(&mut self, step: u16) -> Option<&mut Stride> {
        self.steps.get_mut(usize::from(step).checked_sub(1)?)
    }
}

impl Spread {
    pub(crate) fn saw(&mut self, now: Moment) {
        self.times.seen.push(brief(now, self.committed));
    }

    pub(crate) fn done(&mut self, now: Moment) {
        self.times.done.push(brief(now, self.committed));
    }
}

impl Stride {
    pub(crate) fn saw(&mut self, now: Moment) {
        self.times.seen.push(brief(now, self.began));
    }

    pub(crate) fn done(&mut self, now: Moment) {
        self.times.done.push(brief(now, self.began));
    }
}
