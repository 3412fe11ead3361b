//! Counts what the agents of one app and region said.
//!
//! In: acks, in any order and any number of times. Out: one [`RegionSummary`]. Knows nothing of HTTP, clocks or quotas. An
//! agent counts once, with its newest word; which one that is, is for `said.rs` to know. So the summary depends on which acks
//! came and not on how they came. An ack costs a few look-ups, however many agents there are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use schema::ack::SignedAck;
use schema::status::{GenerationSummary, RegionSummary, WorstAgent};
use schema::{AgentId, Epoch, Generation, Outcome, Timestamp};

use super::said::{GroupKey, Heard, Said, Word};
use super::spread::Spread;

/// How many generations a summary lists, newest first.
pub(crate) const GENERATIONS_MAX: usize = 32;

/// What the agents of one app and region said.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    agents: HashMap<AgentId, Said>,
    groups: BTreeMap<Reverse<GroupKey>, Group>,
    /// Agents whose last word is not `applied`, oldest first.
    unwell: BTreeSet<(Timestamp, AgentId)>,
}

/// What became of an ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// The first word of an agent.
    First,
    /// Newer than what the agent said before.
    Newer,
    /// What the agent said before, or older; nothing changed.
    Known,
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
    /// Counts `ack`, received at `now`. `issued` is when the pointer of its generation was first signed, where that is known;
    /// without it no latency is counted.
    pub(crate) fn record(&mut self, signed: &SignedAck, issued: Option<Timestamp>, now: Timestamp) -> Recorded {
        let (agent, word) = (&signed.ack.agent, Word::of(signed, issued));
        if let Some(known) = self.agents.get_mut(agent).filter(|said| said.knows(&word)) {
            known.heard = now;
            return Recorded::Known;
        }
        let (said, recorded) = match self.take_back(agent) {
            None => (Said::first(word, now), Recorded::First),
            Some(mut said) => {
                let recorded = match said.hear(word, now) {
                    Heard::Newer => Recorded::Newer,
                    Heard::Known => Recorded::Known,
                };
                (said, recorded)
            }
        };
        let newest = said.newest();
        self.groups.entry(Reverse(newest.group)).or_default().enter(newest);
        if newest.outcome != Outcome::Applied {
            self.unwell.insert((newest.at, agent.clone()));
        }
        self.agents.insert(agent.clone(), said);
        recorded
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

#[cfg(test)]
mod tests;
