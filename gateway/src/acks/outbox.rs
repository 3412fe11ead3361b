//! Of whom the upstream is to be told: agents that said something since.
//!
//! In: what became of each word. Out: agents, those first who say something else than before; each once, however often it
//! spoke meanwhile. Which words are theirs is for the tally to know, so nothing here grows with what is said.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use schema::AgentId;

use super::tally::Recorded;
use crate::pair::Pair;

/// An agent, in one app and region.
pub(crate) type Speaker = (Pair, AgentId);

/// Agents that said something which the upstream was not told.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// To be told of now.
    due: BTreeSet<Speaker>,
    /// That said the same once more: to be told of now and then.
    anew: BTreeSet<Speaker>,
    /// The last that was taken, so that all have their turn.
    last: Option<Speaker>,
}

impl Outbox {
    /// Notes that `speaker` spoke.
    pub(super) fn note(&mut self, speaker: Speaker, recorded: Recorded) {
        match recorded {
            Recorded::First | Recorded::Newer => {
                self.anew.remove(&speaker);
                self.due.insert(speaker);
            }
            Recorded::Again if !self.due.contains(&speaker) => _ = self.anew.insert(speaker),
            Recorded::Again | Recorded::Known => {}
        }
    }

    /// Makes those due that were taken in vain, or are to be told of anew.
    pub(super) fn put_back(&mut self, speakers: impl IntoIterator<Item = Speaker>) {
        self.due.extend(speakers);
    }

    /// Makes those due that said the same once more.
    pub(super) fn let_go(&mut self) {
        self.due.append(&mut self.anew);
    }

    /// The next one that is due.
    pub(super) fn take(&mut self) -> Option<Speaker> {
        let after = self.last.take().and_then(|last| self.due.range((Excluded(last), Unbounded)).next().cloned());
        let next = after.or_else(|| self.due.first().cloned())?;
        self.due.remove(&next);
        self.anew.remove(&next);
        self.last = Some(next.clone());
        Some(next)
    }

    /// Whether nobody is due.
    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(agent: &str) -> Speaker {
        let pair = Pair { app: "edge-proxy".parse().expect("an app"), region: "eu-west".parse().expect("a region") };
        (pair, agent.parse().expect("an agent"))
    }

    fn taken(outbox: &mut Outbox) -> Vec<String> {
        std::iter::from_fn(|| outbox.take()).map(|(_, agent)| agent.to_string()).collect()
    }

    #[test]
    fn each_is_told_of_once_and_news_come_first() {
        let mut outbox = Outbox::default();
        for (agent, recorded) in [
            ("same", Recorded::Again),
            ("news", Recorded::First),
            ("news", Recorded::Newer),
            ("news", Recorded::Again),
            ("known", Recorded::Known),
            ("same", Recorded::Again),
            ("changed", Recorded::Again),
            ("changed", Recorded::Newer),
        ] {
            outbox.note(speaker(agent), recorded);
        }
        assert_eq!(taken(&mut outbox), ["changed", "news"]);
        outbox.let_go();
        assert_eq!(taken(&mut outbox), ["same"]);
        assert!(outbox.is_empty() && outbox.anew.is_empty());
    }

    #[test]
    fn who_speaks_all_the_time_does_not_keep_others_waiting() {
        let mut outbox = Outbox::default();
        for agent in ["a", "b", "c"] {
            outbox.note(speaker(agent), Recorded::First);
        }
        let mut told = Vec::new();
        for _ in 0..4 {
            told.extend(outbox.take().map(|(_, agent)| agent.to_string()));
            outbox.note(speaker("a"), Recorded::Newer);
        }
        assert_eq!(told, ["a", "b", "c", "a"]);
    }
}
