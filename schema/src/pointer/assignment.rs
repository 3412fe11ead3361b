//! What a pointer asks of one agent: agents and gates go by this one function, so that both mean the same agents.
//!
//! In: a pointer, an agent's name and labels, the time. Out: an [`Assignment`]. An agent's slot is a hash of its name and the
//! candidate's salt, so its choice survives a restart, needs no server, and a larger share always contains a smaller one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Candidate, FULL_SHARE, Phase, Pointer, Slice, Target};
use crate::digest::Digest;
use crate::name::{AgentId, Label};
use crate::time::Timestamp;

/// An agent, as far as a rollout tells agents apart.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its name.
    pub agent: &'a AgentId,
    /// Its labels, as it says itself.
    pub labels: &'a BTreeMap<Label, Label>,
}

/// What one agent is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// What to run.
    pub run: Run,
    /// What to have on the disk besides, verified and checked, without running it.
    pub ready: Option<Target>,
    /// When to ask again, though no newer pointer came.
    pub until: Option<Timestamp>,
}

/// What an agent is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Whatever it runs.
    Stay,
    /// The stable bundle.
    Stable(Target),
    /// The candidate, and what was there before again if nobody confirms it within that time of the switch.
    Candidate {
        /// The bundle.
        target: Target,
        /// None: for good.
        confirm_within: Option<Duration>,
    },
}

impl Run {
    /// The bundle to run, unless it is whatever runs.
    pub fn target(&self) -> Option<Target> {
        match self {
            Run::Stay => None,
            Run::Stable(target) | Run::Candidate { target, .. } => Some(*target),
        }
    }
}

impl Pointer {
    /// What `member` is to do at `now`.
    pub fn assignment(&self, member: Member<'_>, now: Timestamp) -> Assignment {
        let plain = |run| Assignment { run, ready: None, until: None };
        if self.freeze {
            return plain(Run::Stay);
        }
        if self.quarantine.contains(member.agent) {
            // A good check of what everybody runs is how an agent gets out again.
            return Assignment { ready: Some(self.stable), ..plain(Run::Stay) };
        }
        let stable = plain(Run::Stable(self.stable));
        let Some(candidate) = &self.candidate else { return stable };
        let (due, later): (Vec<_>, Vec<_>) =
            candidate.due_times(member).partition(|(_, due)| due.is_none_or(|due| due <= now));
        if due.is_empty() {
            return Assignment { until: later.into_iter().filter_map(|(_, due)| due).min(), ..stable };
        }
        match candidate.phase {
            Phase::Prepare => Assignment { ready: Some(candidate.target), ..stable },
            Phase::Activate => {
                let is_confirmed = due.iter().any(|(slice, _)| slice.confirmed);
                let confirm_within = candidate.confirm_within().filter(|_| !is_confirmed);
                plain(Run::Candidate { target: candidate.target, confirm_within })
            }
        }
    }
}

impl Candidate {
    /// Whether `member` is in one of its slices, now or later.
    pub fn selects(&self, member: Member<'_>) -> bool {
        self.slices().any(|slice| slice.selects(member, &self.salt))
    }

    /// The slices that `member` is in, and when its turn in each comes; none means at once.
    fn due_times(&self, member: Member<'_>) -> impl Iterator<Item = (&Slice, Option<Timestamp>)> {
        let spread = match self.phase {
            Phase::Prepare => Duration::ZERO,
            Phase::Activate => Duration::from_secs(self.spread_s.into()).mul_f64(turn(&self.salt, member.agent)),
        };
        let mine = self.slices().filter(move |slice| slice.selects(member, &self.salt));
        mine.map(move |slice| (slice, slice.not_before.map(|not_before| not_before.after(spread))))
    }
}

impl Slice {
    /// Whether `member` is in it, under this salt.
    pub fn selects(&self, member: Member<'_>, salt: &str) -> bool {
        // Every slot is in a full share, so nobody's has to be known.
        self.when.matches(member.labels) && (self.share >= FULL_SHARE || slot(salt, member.agent) < self.share)
    }
}

/// An agent's slot: 0 to 9,999, the same for ever for one name and salt.
pub fn slot(salt: &str, agent: &AgentId) -> u16 {
    let slot = hash("slot", salt, agent) % u64::from(FULL_SHARE);
    u16::try_from(slot).expect("there are ten thousand slots")
}

/// When within a spread an agent's turn comes, from 0 to just below 1; nothing to do with its slot.
fn turn(salt: &str, agent: &AgentId) -> f64 {
    // 53 bits are what an f64 holds exactly.
    (hash("turn", salt, agent) >> 11) as f64 / (1u64 << 53) as f64
}

fn hash(what: &str, salt: &str, agent: &AgentId) -> u64 {
    // No name has a zero byte, so no two of these texts are the same.
    Digest::of(format!("{what}\0{salt}\0{agent}").as_bytes()).lot()
}

#[cfg(test)]
mod tests;
