//! How often agents came back from quarantine by themselves: whoever does it again and again waits longer every time.
//!
//! Each return is a generation that all agents of a region answer. How often it failed an agent says itself, so that an agent
//! which lies could keep a region busy, and its gates from ever being satisfied; how often it was let go is known here. What a
//! restart forgets costs a few generations.

use std::collections::BTreeMap;
use std::time::Duration;

use schema::{AgentId, App, Region};
use tokio::time::Instant;

/// The wait before the second return; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// The longest wait. Whoever stayed out of trouble for twice as long begins anew.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Who came back, how often, and when last.
#[derive(Debug, Default)]
pub(super) struct Returns(BTreeMap<(App, Region), BTreeMap<AgentId, Return>>);

#[derive(Debug)]
struct Return {
    times: u32,
    last: Instant,
}

impl Returns {
    /// Whether `agent` may come back to `place` now; if so, that is remembered.
    pub(super) fn may_return(&mut self, place: &(App, Region), agent: &AgentId, now: Instant) -> bool {
        let agents = self.0.entry(place.clone()).or_default();
        agents.retain(|_, earlier| now.duration_since(earlier.last) < 2 * LONGEST_WAIT);
        let Some(earlier) = agents.get_mut(agent) else {
            agents.insert(agent.clone(), Return { times: 1, last: now });
            return true;
        };
        let wait = FIRST_WAIT.saturating_mul(2u32.saturating_pow(earlier.times - 1)).min(LONGEST_WAIT);
        let may = now.duration_since(earlier.last) >= wait;
        if may {
            *earlier = Return { times: earlier.times + 1, last: now };
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_return_takes_longer_and_a_long_peace_is_a_new_beginning() {
        let mut returns = Returns::default();
        let place = ("web".parse().expect("an app"), "eu".parse().expect("a region"));
        let (agent, start) = ("eu-1".parse().expect("an agent"), Instant::now());
        let mut may = |seconds| returns.may_return(&place, &agent, start + Duration::from_secs(seconds));
        let waits = [may(0), may(59), may(60), may(179), may(180), may(419), may(420)];
        assert_eq!(waits, [true, false, true, false, true, false, true]);
        assert!(may(420 + 7_200) && !may(420 + 7_259) && may(420 + 7_260), "as at first");
    }
}
