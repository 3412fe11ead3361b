//! How often one agent may answer: once a second, twenty times at once.
//!
//! In: an agent and the time since some fixed start. Out: yes, or after how long to come back. For each agent one number is
//! kept, the moment at which its bucket is full again; whoever's bucket is full needs no number.

use std::collections::HashMap;
use std::time::Duration;

use schema::AgentId;

/// One token for each request that an agent is named in.
#[derive(Debug)]
pub(super) struct Quota {
    full_at: HashMap<AgentId, Duration>,
    agents_max: usize,
    swept: Duration,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exhausted {
    /// The agent's bucket is empty.
    Agent { retry_after: Duration },
    /// More agents answer at the same time than are kept track of.
    Everyone,
}

impl Quota {
    pub(super) fn new(agents_max: usize) -> Quota {
        Quota { full_at: HashMap::new(), agents_max, swept: Duration::ZERO }
    }

    /// Takes one token of `agent` at `now`.
    pub(super) fn take(&mut self, agent: &AgentId, now: Duration) -> Result<(), Exhausted> {
        if let Some(full_at) = self.full_at.get_mut(agent) {
            let then = (*full_at).max(now) + REFILL;
            let over = then.saturating_sub(now + REFILL * BURST);
            if over > Duration::ZERO {
                return Err(Exhausted::Agent { retry_after: over });
            }
            *full_at = then;
            return Ok(());
        }
        self.sweep(now);
        if self.full_at.len() >= self.agents_max {
            return Err(Exhausted::Everyone);
        }
        self.full_at.insert(agent.clone(), now + REFILL);
        Ok(())
    }

    /// Drops full buckets; at most once a second, since it looks at all of them.
    fn sweep(&mut self, now: Duration) {
        if self.full_at.len() >= self.agents_max && now >= self.swept + SWEEP_EVERY {
            self.swept = now;
            self.full_at.retain(|_, full_at| *full_at > now);
        }
    }
}

const REFILL: Duration = Duration::from_secs(1);
const BURST: u32 = 20;
const SWEEP_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(number: u32) -> AgentId {
        format!("web-{number}").parse().expect("an agent")
    }

    #[test]
    fn a46_a_flood_of_one_agent_is_cut_to_its_quota() {
        let mut quota = Quota::new(10);
        let start = Duration::from_secs(100);
        let at_once = (0..1000).filter(|_| quota.take(&agent(1), start).is_ok()).count();
        assert_eq!(at_once, 20);
        assert_eq!(quota.take(&agent(1), start), Err(Exhausted::Agent { retry_after: Duration::from_secs(1) }));
        assert_eq!(quota.take(&agent(2), start), Ok(()));
        let later = start + Duration::from_secs(5);
        assert_eq!((0..1000).filter(|_| quota.take(&agent(1), later).is_ok()).count(), 5);
    }

    #[test]
    fn a46_invented_names_do_not_fill_memory() {
        let mut quota = Quota::new(10);
        let start = Duration::from_secs(100);
        (0..10).for_each(|number| assert_eq!(quota.take(&agent(number), start), Ok(())));
        assert_eq!(quota.take(&agent(11), start), Err(Exhausted::Everyone));
        assert_eq!(quota.take(&agent(11), start + Duration::from_secs(2)), Ok(()));
        assert_eq!(quota.full_at.len(), 1);
    }
}
