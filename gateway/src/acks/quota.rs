//! How often one caller may say something.
//!
//! In: who pays, and the time since some fixed start. Out: yes, or after how long to come back. Each caller has a bucket of
//! tokens that refills steadily; for each one number is kept, the moment at which the bucket is full again, and whoever's
//! bucket is full needs no number. Agents and gateways pay from a bucket of their own only when it was shown that they are
//! who they say; everybody else pays from the bucket of the address, so that naming somebody uses up nothing of theirs.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use schema::AgentId;

/// Who pays for a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payer<'a> {
    /// An agent that was shown to be the one.
    Agent(&'a AgentId),
    /// A gateway that was shown to be the one.
    Gateway(&'a AgentId),
    /// A gateway that was shown to be the one, for what its agents say.
    Relay(&'a AgentId),
    /// Anybody at that address.
    Address(IpAddr),
    /// Somebody at that address whose token may be a guess.
    Operator(IpAddr),
}

/// Says why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exhausted {
    /// The payer's bucket is empty.
    #[error("too much was said in too short a time")]
    Payer { retry_after: Duration },
    /// More speak at the same time than are kept track of.
    #[error("more speak at the same time than this gateway keeps track of")]
    Everyone,
}

/// The buckets of everybody.
#[derive(Debug)]
pub(crate) struct Quotas {
    agents: Buckets<AgentId>,
    gateways: Buckets<AgentId>,
    relays: Buckets<AgentId>,
    addresses: Buckets<IpAddr>,
    guesses: Buckets<IpAddr>,
}

impl Quotas {
    /// Keeps track of up to `agents_max` callers of each kind. An address counts for as many agents as it may have connections.
    pub(crate) fn new(agents_max: usize, connections_per_address: usize) -> Quotas {
        let per_address = u32::try_from(connections_per_address).unwrap_or(u32::MAX).max(1);
        let address = Rate { refill: AGENT.refill / per_address, burst: AGENT.burst.max(per_address) };
        Quotas {
            agents: Buckets::new(AGENT, agents_max),
            gateways: Buckets::new(GATEWAY, agents_max),
            relays: Buckets::new(RELAY, agents_max),
            addresses: Buckets::new(address, agents_max),
            guesses: Buckets::new(GUESS, agents_max),
        }
    }

    /// Takes one token of `payer` at `now`.
    ///
    /// # Errors
    /// [`Exhausted`]; asking costs nothing then.
    pub(crate) fn take(&self, payer: Payer<'_>, now: Duration) -> Result<(), Exhausted> {
        match payer {
            Payer::Agent(name) => self.agents.take(name, now),
            Payer::Gateway(name) => self.gateways.take(name, now),
            Payer::Relay(name) => self.relays.take(name, now),
            Payer::Address(address) => self.addresses.take(&address, now),
            Payer::Operator(address) => self.guesses.take(&address, now),
        }
    }

    /// Gives back what `payer` paid for something that turned out to be free.
    pub(crate) fn give_back(&self, payer: Payer<'_>) {
        match payer {
            Payer::Agent(name) => self.agents.give_back(name),
            Payer::Gateway(name) => self.gateways.give_back(name),
            Payer::Relay(name) => self.relays.give_back(name),
            Payer::Address(address) => self.addresses.give_back(&address),
            Payer::Operator(address) => self.guesses.give_back(&address),
        }
    }
}

/// How fast a bucket refills, and how much it holds.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// The time for one token.
    refill: Duration,
    /// How many tokens a full bucket has.
    burst: u32,
}

/// The buckets of one kind of payers.
#[derive(Debug)]
struct Buckets<P> {
    rate: Rate,
    max: usize,
    state: Mutex<State<P>>,
}

#[derive(Debug)]
struct State<P> {
    full_at: HashMap<P, Duration>,
    swept: Duration,
}

impl<P: Clone + Eq + Hash> Buckets<P> {
    fn new(rate: Rate, max: usize) -> Buckets<P> {
        Buckets { rate, max, state: Mutex::new(State { full_at: HashMap::new(), swept: Duration::ZERO }) }
    }

    fn take(&self, payer: &P, now: Duration) -> Result<(), Exhausted> {
        let Rate { refill, burst } = self.rate;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full_at) = state.full_at.get_mut(payer) {
            let then = (*full_at).max(now) + refill;
            let over = then.saturating_sub(now + refill * burst);
            if over > Duration::ZERO {
                return Err(Exhausted::Payer { retry_after: over });
            }
            *full_at = then;
            return Ok(());
        }
        // Drops full buckets; at most once a second, since it looks at all of them.
        if state.full_at.len() >= self.max && now >= state.swept + SWEEP_EVERY {
            state.swept = now;
            state.full_at.retain(|_, full_at| *full_at > now);
        }
        if state.full_at.len() >= self.max {
            return Err(Exhausted::Everyone);
        }
        state.full_at.insert(payer.clone(), now + refill);
        Ok(())
    }

    fn give_back(&self, payer: &P) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full_at) = state.full_at.get_mut(payer) {
            *full_at = full_at.saturating_sub(self.rate.refill);
        }
    }
}

/// An agent has one thing to say for each generation. Those of an hour of mending, or of many apps, may come at once.
const AGENT: Rate = Rate { refill: Duration::from_secs(10), burst: 60 };
/// A gateway sums up every two seconds.
const GATEWAY: Rate = Rate { refill: Duration::from_secs(1), burst: 20 };
/// A gateway sends along what its agents say about twice a second; more where they say much.
const RELAY: Rate = Rate { refill: Duration::from_millis(200), burst: 100 };
/// Tokens are too long to be guessed; this keeps logs and threads free of those who try.
const GUESS: Rate = Rate { refill: Duration::from_secs(5), burst: 20 };
const SWEEP_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(number: u32) -> AgentId {
        format!("web-{number}").parse().expect("an agent")
    }

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    const START: Duration = Duration::from_secs(1000);

    #[test]
    fn a46_a_flood_of_one_agent_is_cut_to_its_quota() {
        let quotas = Quotas::new(10, 10);
        let take = |number, now| quotas.take(Payer::Agent(&agent(number)), now);
        assert_eq!((0..1000).filter(|_| take(1, START).is_ok()).count(), 60);
        assert_eq!(take(1, START), Err(Exhausted::Payer { retry_after: Duration::from_secs(10) }));
        assert_eq!(take(2, START), Ok(()));
        let later = START + Duration::from_secs(50);
        assert_eq!((0..1000).filter(|_| take(1, later).is_ok()).count(), 5);
    }

    #[test]
    fn a46_an_address_counts_for_as_many_agents_as_may_connect_from_it() {
        let quotas = Quotas::new(10, 500);
        let take = |last, now| quotas.take(Payer::Address(address(last)), now);
        assert_eq!((0..1000).filter(|_| take(1, START).is_ok()).count(), 500);
        assert_eq!((0..1000).filter(|_| take(1, START + Duration::from_secs(1)).is_ok()).count(), 50);
        assert_eq!(take(2, START), Ok(()));
    }

    #[test]
    fn a46_nobody_uses_up_what_is_anothers() {
        let quotas = Quotas::new(10, 1);
        while quotas.take(Payer::Address(address(1)), START).is_ok() {}
        while quotas.take(Payer::Agent(&agent(1)), START).is_ok() {}
        assert_eq!(quotas.take(Payer::Gateway(&agent(1)), START), Ok(()));
        assert_eq!(quotas.take(Payer::Agent(&agent(2)), START), Ok(()));
    }

    #[test]
    fn a_wrong_guess_costs_and_a_right_one_does_not() {
        let quotas = Quotas::new(10, 500);
        let payer = Payer::Operator(address(1));
        for _ in 0..1000 {
            assert_eq!(quotas.take(payer, START), Ok(()));
            quotas.give_back(payer);
        }
        assert_eq!((0..1000).filter(|_| quotas.take(payer, START).is_ok()).count(), 20);
        assert_eq!(quotas.take(Payer::Operator(address(2)), START), Ok(()));
        assert_eq!(quotas.take(Payer::Address(address(1)), START), Ok(()));
    }

    #[test]
    fn a46_addresses_without_end_do_not_fill_memory_and_keep_no_name_out() {
        let quotas = Quotas::new(10, 1);
        (0..10).for_each(|last| assert_eq!(quotas.take(Payer::Address(address(last)), START), Ok(())));
        assert_eq!(quotas.take(Payer::Address(address(11)), START), Err(Exhausted::Everyone));
        assert_eq!(quotas.take(Payer::Agent(&agent(1)), START), Ok(()));
        assert_eq!(quotas.take(Payer::Address(address(11)), START + Duration::from_secs(20)), Ok(()));
        assert_eq!(quotas.addresses.state.lock().expect("no panic").full_at.len(), 1);
    }
}
