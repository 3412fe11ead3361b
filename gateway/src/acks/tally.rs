//! Counts what the agents of one app and region said.
//!
//! In: acks, in any order and any number of times. Out: one [`RegionSummary`]. Knows nothing of HTTP, clocks or quotas. An
//! agent counts once, with its newest word: the highest (epoch, generation), then the newest `at`. So the summary depends
//! on which acks came and not on how they came. An ack costs a few look-ups, however many agents there are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use schema::ack::Step;
use schema::status::{GenerationSummary, RegionSummary, WorstAgent};
use schema::{Ack, AgentId, Digest, Epoch, Generation, Outcome, Timestamp};

use super::spread::Spread;

/// How many generations a summary lists, newest first.
pub(crate) const GENERATIONS_MAX: usize = 32;

/// How many characters of an agent's reason are kept.
const REASON_MAX: usize = 256;

/// What the agents of one app and region said.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    words: HashMap<AgentId, Word>,
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

type GroupKey = (Epoch, Generation, Digest);

/// The newest thing that one agent said.
#[derive(Debug)]
struct Word {
    group: GroupKey,
    at: Timestamp,
    outcome: Outcome,
    step: Option<Step>,
    reason: Option<Box<str>>,
    notified_ms: Option<u64>,
    applied_ms: Option<u64>,
    /// When it came in, by our clock. Not part of what was said.
    received: Timestamp,
}

impl Word {
    fn of(ack: &Ack, issued: Option<Timestamp>, received: Timestamp) -> Word {
        let since_issued = |moment: Timestamp| {
            // A clock that runs behind the publisher's would give a length below zero: that measured nothing.
            let issued = issued.filter(|issued| moment >= *issued)?;
            u64::try_from(moment.since(issued).as_millis()).ok()
        };
        Word {
            group: (ack.epoch, ack.generation, ack.attempted),
            at: ack.at,
            outcome: ack.outcome,
            step: ack.step,
            reason: ack.reason.as_deref().map(|reason| reason.chars().take(REASON_MAX).collect::<String>().into()),
            notified_ms: since_issued(ack.notified_at),
            applied_ms: since_issued(ack.at).filter(|_| ack.outcome == Outcome::Applied),
            received,
        }
    }

    /// Newer words compare greater. All that was said takes part, so that of two contradicting words with one `at` the same
    /// one is kept whichever came first.
    fn newness(&self) -> impl Ord + '_ {
        let (epoch, generation, attempted) = self.group;
        let step = self.step.map(|step| step as u8);
        (epoch, generation, self.at, self.outcome, attempted, step, self.reason.as_deref(), self.notified_ms)
    }
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
    pub(crate) fn record(&mut self, ack: &Ack, issued: Option<Timestamp>, now: Timestamp) -> Recorded {
        let word = Word::of(ack, issued, now);
        let recorded = match self.words.get_mut(&ack.agent) {
            None => Recorded::First,
            Some(known) if known.newness() >= word.newness() => {
                known.received = now;
                return Recorded::Known;
            }
            Some(_) => Recorded::Newer,
        };
        self.take_back(&ack.agent);
        self.groups.entry(Reverse(word.group)).or_default().enter(&word);
        if word.outcome != Outcome::Applied {
            self.unwell.insert((word.at, ack.agent.clone()));
        }
        self.words.insert(ack.agent.clone(), word);
        recorded
    }

    /// How many agents it knows.
    pub(crate) fn known(&self) -> usize {
        self.words.len()
    }

    /// Whether it knows `agent`.
    pub(crate) fn knows(&self, agent: &AgentId) -> bool {
        self.words.contains_key(agent)
    }

    /// Forgets agents that were not heard since `since`, but for those whose last word is about the generation in force:
    /// they have nothing more to say. Costs a look at every agent.
    pub(crate) fn forget_silent(&mut self, since: Timestamp, in_force: (Epoch, Generation)) {
        let silent = |word: &Word| word.received < since && (word.group.0, word.group.1) != in_force;
        let forgotten: Vec<AgentId> =
            self.words.iter().filter(|(_, word)| silent(word)).map(|(agent, _)| agent.clone()).collect();
        forgotten.iter().for_each(|agent| self.take_back(agent));
    }

    /// All of it, in numbers, and the agents that are worth a look by name.
    pub(crate) fn summary(&self) -> RegionSummary {
        let generations = self.groups.iter().take(GENERATIONS_MAX).map(|(Reverse(key), group)| group.summary(*key));
        let worst = self.unwell.iter().rev().take(RegionSummary::WORST_MAX).map(|(_, agent)| self.worst(agent));
        RegionSummary { known: self.words.len() as u64, generations: generations.collect(), worst: worst.collect() }
    }

    fn worst(&self, agent: &AgentId) -> WorstAgent {
        let word = self.words.get(agent).expect("an agent that is unwell said so");
        WorstAgent {
            agent: agent.clone(),
            generation: word.group.1,
            outcome: word.outcome,
            step: word.step,
            reason: word.reason.clone(),
            at: word.at,
        }
    }

    /// Makes it as if `agent` had said nothing yet.
    fn take_back(&mut self, agent: &AgentId) {
        let Some(word) = self.words.remove(agent) else { return };
        self.unwell.remove(&(word.at, agent.clone()));
        let key = Reverse(word.group);
        if let Some(group) = self.groups.get_mut(&key) {
            group.leave(&word);
            if group.is_empty() {
                self.groups.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
