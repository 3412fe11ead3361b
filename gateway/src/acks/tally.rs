//! Counts what the agents of one app and region said.
//!
//! In: acks, in any order and any number of times. Out: one [`RegionSummary`]. Knows nothing of HTTP, clocks or quotas. An
//! agent counts once, with its newest word; which one that is, is for `said.rs` to know. So the summary depends on which acks
//! came and not on how they came. An ack costs a few look-ups, however many agents there are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use schema::status::{GenerationSummary, RegionSummary, WorstAgent};
use schema::{AgentId, Epoch, Generation, Outcome, Timestamp};

use super::said::{Heard, Said};
use super::spread::Spread;
use super::word::{GroupKey, Word};

/// How many generations a summary lists, newest first.
pub(crate) const GENERATIONS_MAX: usize = 32;

/// What the agents of one app and region said.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    agents: HashMap<AgentId, Said>,
    groups: BTreeMap<Reverse<GroupKey>, Group>,
    /// Agents whose last word is neither `applied` nor `prepared`, oldest first.
    unwell: BTreeSet<(Timestamp, AgentId)>,
}

/// What became of an ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// The first word of an agent.
    First,
    /// Newer than what the agent said before, and something else.
    Newer,
    /// Said anew, and what the agent said before; all that changed is when it was last heard.
    Again,
    /// What was heard before, or older; nothing changed.
    Known,
}

/// How a word came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// From its agent, who is there, then.
    Directly,
    /// From a gateway below, which may have kept it for as long as it likes.
    Relayed,
}

/// The agents whose newest word is about one bundle of one generation.
#[derive(Debug, Default)]
struct Group {
    counts: HashMap<Outcome, u64>,
    notified_ms: Spread,
    applied_ms: Spread,
}

impl Group {
    fn enter(&mut self, word: &Word) {
        *self.counts.entry(word.outcome).or_default() += 1;
        word.notified_ms.into_iter().for_each(|millis| self.notified_ms.add(millis));
        word.applied_ms.into_iter().for_each(|millis| self.applied_ms.add(millis));
    }

    fn leave(&mut self, word: &Word) {
        *self.counts.entry(word.outcome).or_default() -= 1;
        word.notified_ms.into_iter().for_each(|millis| self.notified_ms.remove(millis));
        word.applied_ms.into_iter().for_each(|millis| self.applied_ms.remove(millis));
    }

    fn is_empty(&self) -> bool {
        self.counts.values().all(|count| *count == 0)
    }

    fn summary(&self, (epoch, generation, digest): GroupKey) -> GenerationSummary {
        let mut summary = GenerationSummary::new(epoch, generation, digest);
        for (outcome, count) in &self.counts {
            *summary.count_of(*outcome) = *count;
        }
        summary.notified_ms = self.notified_ms.histogram();
        summary.applied_ms = self.applied_ms.histogram();
        summary
    }
}

impl Tally {
    /// Counts `word`, which came at `now`.
    pub(super) fn record(&mut self, word: Word, now: Timestamp, came: Came) -> Recorded {
        let agent = word.agent().clone();
        if let Some(known) = self.agents.get_mut(&agent).filter(|said| said.knows(&word)) {
            if came == Came::Directly {
                known.heard = now;
            }
            return Recorded::Known;
        }
        let (said, recorded) = match self.take_back(&agent) {
            None => (Said::first(word, now), Recorded::First),
            Some(mut said) => {
                let recorded = match said.hear(word, now) {
                    Heard::Newer => Recorded::Newer,
                    Heard::Again | Heard::Older => Recorded::Again,
                };
                (said, recorded)
            }
        };
        let newest = said.newest();
        self.groups.entry(Reverse(newest.group)).or_default().enter(newest);
        if is_unwell(newest) {
            self.unwell.insert((newest.at, agent.clone()));
        }
        self.agents.insert(agent, said);
        recorded
    }

    /// The newest word of each agent, and when it was last heard, in no order. Costs little: words are shared.
    pub(super) fn newest(&self) -> impl Iterator<Item = (Arc<Word>, Timestamp)> + '_ {
        self.agents.values().map(|said| (Arc::clone(said.newest()), said.heard))
    }

    /// The last words of `agent`, one for each of its last runs; nothing where it is not known.
    pub(super) fn words(&self, agent: &AgentId) -> &[Arc<Word>] {
        self.agents.get(agent).map_or(&[], Said::words)
    }

    /// Agents that were heard at `since` or later.
    pub(super) fn heard_since(&self, since: Timestamp) -> impl Iterator<Item = &AgentId> {
        self.agents.iter().filter(move |(_, said)| said.heard >= since).map(|(agent, _)| agent)
    }

    /// How many agents' newest word has each outcome; nothing for one that no agent has.
    pub(crate) fn outcomes(&self) -> BTreeMap<Outcome, u64> {
        let mut outcomes = BTreeMap::new();
        let counts = self.groups.values().flat_map(|group| &group.counts);
        for (outcome, count) in counts.filter(|(_, count)| **count > 0) {
            *outcomes.entry(*outcome).or_default() += count;
        }
        outcomes
    }

    /// How many agents it knows.
    pub(crate) fn known(&self) -> usize {
        self.agents.len()
    }

    /// Whether it knows `agent`.
    pub(crate) fn knows(&self, agent: &AgentId) -> bool {
        self.agents.contains_key(agent)
    }

    /// Forgets agents that were not heard since `since`, but for those whose last word is about the generation in force:
    /// they have nothing more to say. Costs a look at every agent.
    pub(crate) fn forget_silent(&mut self, since: Timestamp, in_force: (Epoch, Generation)) {
        let silent = |said: &Said| {
            let (epoch, generation, _) = said.newest().group;
            said.heard < since && (epoch, generation) != in_force
        };
        let forgotten: Vec<AgentId> =
            self.agents.iter().filter(|(_, said)| silent(said)).map(|(agent, _)| agent.clone()).collect();
        for agent in forgotten {
            self.take_back(&agent);
        }
    }

    /// Forgets what `agent` said; says whether it had said anything.
    pub(crate) fn forget(&mut self, agent: &AgentId) -> bool {
        self.take_back(agent).is_some()
    }

    /// All of it, in numbers, and the agents that are worth a look by name.
    pub(crate) fn summary(&self) -> RegionSummary {
        let generations = self.groups.iter().take(GENERATIONS_MAX).map(|(Reverse(key), group)| group.summary(*key));
        let worst = self.unwell.iter().rev().take(RegionSummary::WORST_MAX).map(|(_, agent)| self.worst(agent));
        RegionSummary { known: self.agents.len() as u64, generations: generations.collect(), worst: worst.collect() }
    }

    fn worst(&self, agent: &AgentId) -> WorstAgent {
        let word = self.agents.get(agent).expect("an agent that is unwell said so").newest();
        WorstAgent {
            agent: agent.clone(),
            generation: word.group.1,
            outcome: word.outcome,
            step: word.step,
            reason: word.reason.clone(),
            at: word.at,
        }
    }

    /// Makes it as if `agent` had said nothing yet, and gives what it said.
    fn take_back(&mut self, agent: &AgentId) -> Option<Said> {
        let said = self.agents.remove(agent)?;
        let word = said.newest();
        self.unwell.remove(&(word.at, agent.clone()));
        let key = Reverse(word.group);
        if let Some(group) = self.groups.get_mut(&key) {
            group.leave(word);
            if group.is_empty() {
                self.groups.remove(&key);
            }
        }
        Some(said)
    }
}

/// Whether an agent is worth a look.
fn is_unwell(word: &Word) -> bool {
    !matches!(word.outcome, Outcome::Applied | Outcome::Prepared)
}

#[cfg(test)]
mod tests;
