//! Decides whether a request may come in, and in whose name.
//!
//! In: the ways that are open, who is registered, what the request brought along, and the time. Out: a [`Caller`], or one
//! [`TurnedAway`]. What a caller may say is decided here as well: of itself and of nobody else.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use schema::{AgentId, Timestamp};

use super::admit::Admit;
use super::keys::Voucher;
use super::presented::{Bearer, Peer, TokenHash, bearer};
use super::registry::{Registry, RegistryFiles, Role};
use crate::reload::Reloaded;
use crate::tls::Unnamed;

/// Everything that is known of who may come in.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) admit: Admit,
    pub(crate) registry: Option<Arc<Reloaded<RegistryFiles>>>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody, from that address.
    Anyone(IpAddr),
    /// Somebody who has shown who it is.
    Known(Identity),
}

/// A name that was shown to be the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    name: AgentId,
    /// What it is registered for; without a registry it may be anything, in its own name.
    role: Option<Role>,
}

/// Says why a request does not come in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TurnedAway {
    #[error("this gateway wants to know who asks")]
    Nothing,
    #[error("`Authorization` is not one bearer token")]
    Unreadable,
    #[error("nobody has this token")]
    UnknownToken,
    #[error("the token of `{name}` expired at {expired}")]
    Expired { name: AgentId, expired: Timestamp },
    #[error(transparent)]
    Unnamed(#[from] Unnamed),
    #[error("`{name}` is not registered")]
    Unregistered { name: AgentId },
}

/// Says that a caller spoke for another, or has nothing to say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTheirs {
    #[error("`{caller}` is not registered as {wanted}")]
    Role { caller: AgentId, wanted: &'static str },
    #[error("`{caller}` speaks for `{named}`")]
    Name { caller: AgentId, named: AgentId },
}

impl Door {
    /// Who sends a request with these `headers` over the connection of `peer`.
    ///
    /// # Errors
    /// [`TurnedAway`]: whatever was asked for, it is not answered.
    pub(crate) fn admit(&self, peer: &Peer, headers: &HeaderMap, now: Timestamp) -> Result<Caller, TurnedAway> {
        let registry = self.registry();
        let registry = registry.as_deref();
        match &peer.certificate {
            Some(named) if self.admit.by_certificate() => by_certificate(named.clone()?, registry),
            _ if self.admit.by_token() => match bearer(headers) {
                Bearer::Token(token) => by_token(token, registry, now),
                Bearer::Unreadable => Err(TurnedAway::Unreadable),
                Bearer::Nothing => Err(TurnedAway::Nothing),
            },
            _ if self.admit == Admit::Anyone => Ok(Caller::Anyone(peer.address)),
            _ => Err(TurnedAway::Nothing),
        }
    }

    /// Whether a request that brings a token for somebody else to judge may come in over the connection of `peer`: a
    /// certificate is asked for where nothing else would do, and one that was shown has to be good.
    ///
    /// # Errors
    /// [`TurnedAway`].
    pub(crate) fn admit_bearer_of_other(&self, peer: &Peer) -> Result<(), TurnedAway> {
        match &peer.certificate {
            Some(named) if self.admit.by_certificate() => {
                by_certificate(named.clone()?, self.registry().as_deref()).map(drop)
            }
            _ if self.admit == Admit::Certificate => Err(TurnedAway::Nothing),
            _ => Ok(()),
        }
    }

    /// Who is registered now, where there is a registry.
    pub(crate) fn registry(&self) -> Option<Arc<Registry>> {
        self.registry.as_ref().map(|registry| registry.now())
    }
}

fn by_certificate(name: AgentId, registry: Option<&Registry>) -> Result<Caller, TurnedAway> {
    let role = match registry {
        // Where there is a list it is the whole list, so that taking a name off it locks a stolen certificate out.
        Some(registry) => Some(registry.role(&name).ok_or_else(|| TurnedAway::Unregistered { name: name.clone() })?),
        None => None,
    };
    Ok(Caller::Known(Identity { name, role }))
}

fn by_token(token: TokenHash, registry: Option<&Registry>, now: Timestamp) -> Result<Caller, TurnedAway> {
    let registry = registry.ok_or(TurnedAway::UnknownToken)?;
    let (name, expires) = registry.holder(token).ok_or(TurnedAway::UnknownToken)?;
    if let Some(expired) = expires.filter(|expires| now >= *expires) {
        return Err(TurnedAway::Expired { name: name.clone(), expired });
    }
    Ok(Caller::Known(Identity { name: name.clone(), role: registry.role(name) }))
}

impl Caller {
    /// Whether it may send acks at all; whose they are is not known before they are read.
    ///
    /// # Errors
    /// [`NotTheirs::Role`].
    pub(crate) fn may_ack(&self) -> Result<(), NotTheirs> {
        self.is(Role::Agent, "an agent")
    }

    /// Whether it may send summaries at all.
    ///
    /// # Errors
    /// [`NotTheirs::Role`].
    pub(crate) fn may_summarize(&self) -> Result<(), NotTheirs> {
        self.is(Role::Gateway, "a gateway")
    }

    /// Whether it may speak in the name `named`.
    ///
    /// # Errors
    /// [`NotTheirs::Name`].
    pub(crate) fn may_speak_for(&self, named: &AgentId) -> Result<(), NotTheirs> {
        match self {
            Caller::Known(Identity { name, .. }) if name != named => {
                Err(NotTheirs::Name { caller: name.clone(), named: named.clone() })
            }
            Caller::Known(_) | Caller::Anyone(_) => Ok(()),
        }
    }

    /// What it says of the key of an agent that it may speak for.
    pub(crate) fn voucher(&self) -> Voucher {
        match self {
            Caller::Known(_) => Voucher::Agent,
            Caller::Anyone(_) => Voucher::Nobody,
        }
    }

    fn is(&self, wanted: Role, in_words: &'static str) -> Result<(), NotTheirs> {
        match self {
            Caller::Known(Identity { name, role: Some(role) }) if *role != wanted => {
                Err(NotTheirs::Role { caller: name.clone(), wanted: in_words })
            }
            Caller::Known(_) | Caller::Anyone(_) => Ok(()),
        }
    }
}

impl Identity {
    /// The name.
    pub(crate) fn name(&self) -> &AgentId {
        &self.name
    }
}

#[cfg(test)]
mod tests;
