//! Whose key signs which agent's acks.
//!
//! In: a batch whose signatures held under the key that came with it, who sent it, and who is registered. Out: that this key
//! may speak for this agent, or one [`NotItsKey`]. A registered key is the only one. Without it a caller that has shown who
//! it is vouches for its own key; where nobody has, the first key that is seen for a name is its key until it has been silent
//! for long.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use schema::{AgentId, PublicKey, Timestamp};

use super::door::Caller;
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
        caller: &Caller,
        registry: Option<&Registry>,
        now: Timestamp,
    ) -> Result<(), NotItsKey> {
        if let Some(registry) = registry {
            match registry.key(agent) {
                None => return Err(NotItsKey::Unregistered { agent: agent.clone() }),
                Some(Some(registered)) if registered == key => return Ok(()),
                Some(Some(_)) => return Err(NotItsKey::NotRegistered { agent: agent.clone() }),
                Some(None) => {}
            }
        }
        match caller {
            Caller::Known(_) => Ok(()),
            Caller::Anyone(_) => self.first_seen(agent, key, now),
        }
    }

    /// Forgets the keys of agents that were not heard since `since`.
    pub(crate) fn forget_silent(&self, since: Timestamp) {
        self.seen().retain(|_, seen| seen.last >= since);
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
