//! Whose key signs which agent's acks.
//!
//! In: a batch whose signatures held under the key that came with it, who vouches for that, and who is registered. Out: that
//! this key may speak for this agent, or one [`NotItsKey`]. A registered key is the only one. Without it an agent that has
//! shown who it is vouches for its own key; where it has not, the first key that is seen for a name is its key until it has
//! been silent for long. A gateway that sends words along vouches for nobody.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use schema::{AgentId, PublicKey, Timestamp};

use super::registry::Registry;

/// The keys that were seen first.
#[derive(Debug)]
pub(crate) struct Keys {
    seen: Mutex<HashMap<AgentId, Seen>>,
    agents_max: usize,
}

#[derive(Debug)]
struct Seen {
    key: PublicKey,
    last: Timestamp,
}

/// Who says that a key is an agent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voucher {
    /// The agent, which has shown who it is.
    Agent,
    /// Nobody who would know.
    Nobody,
}

/// Whether the key of an agent is the one that it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    AsBefore,
    /// Another key was taken for its until now: what that one signed is not known to be the agent's.
    Anew,
}

/// Says why a key may not speak for an agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotItsKey {
    #[error("agent `{agent}` is not registered")]
    Unregistered { agent: AgentId },
    #[error("agent `{agent}` signs with another key than the registered one")]
    NotRegistered { agent: AgentId },
    #[error("agent `{agent}` signs with another key than the one that was first seen here")]
    NotFirstSeen { agent: AgentId },
    #[error("more agents sign than this gateway keeps keys of")]
    Full,
}

impl Keys {
    pub(crate) fn new(agents_max: usize) -> Keys {
        Keys { seen: Mutex::default(), agents_max }
    }

    /// Whether `key` may speak for `agent` at `now`.
    ///
    /// # Errors
    /// [`NotItsKey`]; nothing of what it signed counts.
    pub(crate) fn check(
        &self,
        (agent, key): (&AgentId, &PublicKey),
        voucher: Voucher,
        registry: Option<&Registry>,
        now: Timestamp,
    ) -> Result<Kept, NotItsKey> {
        if let Some(registry) = registry {
            match registry.key(agent) {
                None => return Err(NotItsKey::Unregistered { agent: agent.clone() }),
                Some(Some(registered)) if registered == key => return Ok(Kept::AsBefore),
                Some(Some(_)) => return Err(NotItsKey::NotRegistered { agent: agent.clone() }),
                Some(None) => {}
            }
        }
        match voucher {
            Voucher::Agent => Ok(self.vouched_for(agent, key, now)),
            Voucher::Nobody => self.first_seen(agent, key, now).map(|()| Kept::AsBefore),
        }
    }

    /// Forgets the keys of agents that were not heard since `since`.
    pub(crate) fn forget_silent(&self, since: Timestamp) {
        self.seen().retain(|_, seen| seen.last >= since);
    }

    /// Remembered, so that nobody else can speak for the agent by way of a gateway below.
    fn vouched_for(&self, agent: &AgentId, key: &PublicKey, now: Timestamp) -> Kept {
        let mut all = self.seen();
        let is_known = all.contains_key(agent);
        if !is_known && all.len() >= self.agents_max {
            return Kept::AsBefore;
        }
        match all.insert(agent.clone(), Seen { key: key.clone(), last: now }) {
            Some(before) if before.key != *key => Kept::Anew,
            Some(_) | None => Kept::AsBefore,
        }
    }

    fn first_seen(&self, agent: &AgentId, key: &PublicKey, now: Timestamp) -> Result<(), NotItsKey> {
        let mut all = self.seen();
        if let Some(seen) = all.get_mut(agent) {
            if seen.key != *key {
                return Err(NotItsKey::NotFirstSeen { agent: agent.clone() });
            }
            seen.last = now;
        } else if all.len() < self.agents_max {
            all.insert(agent.clone(), Seen { key: key.clone(), last: now });
        } else {
            return Err(NotItsKey::Full);
        }
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<AgentId, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
