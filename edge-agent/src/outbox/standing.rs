//! What the answer to a batch of acks says about where this agent stands with those who gather them.

use follower::{Failures, Fault, PostError, Reason};
use schema::{AgentId, PublicKey};
use tracing::{error, info, warn};

/// How things stand. Logged when it changes, and not with every try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Acks are taken.
    Good,
    /// Nobody who might take acks can be reached.
    NobodyAnswers,
    /// Everybody only serves files: there will never be an answer.
    NobodyTakesAcks,
    /// Somebody who takes acks asks who we are, or does not want to hear from us (401, 403).
    NotLetIn,
    /// Somebody knows this agent under another key (409).
    KeyRefused,
    /// Somebody minds something in the batch itself.
    Refused,
}

impl Standing {
    pub(super) fn of(failed: &PostError) -> Standing {
        match failed {
            PostError::Refused { status, .. } if status.as_u16() == 409 => Standing::KeyRefused,
            PostError::Refused { .. } => Standing::Refused,
            PostError::Unavailable { failures, .. } if all(failures, &[404, 405, 410, 501]) => {
                Standing::NobodyTakesAcks
            }
            PostError::Unavailable { failures, .. } if all(failures, &[401, 403, 404, 405, 410, 501]) => {
                Standing::NotLetIn
            }
            PostError::Unavailable { .. } | PostError::Path { .. } => Standing::NobodyAnswers,
        }
    }

    /// Says how things stand, and what to do about it.
    pub(super) fn tell(self, agent: &AgentId, public_key: &PublicKey, failed: &PostError) {
        match self {
            Standing::Good | Standing::Refused => {}
            Standing::NobodyAnswers => warn!("Acks are kept and sent again later: {failed}"),
            Standing::NobodyTakesAcks => {
                info!("Nobody takes acks, so none are sent; the base URLs only serve files");
            }
            Standing::NotLetIn => error!(
                "This agent is not let in, and its acks are kept: check `tls` and `token` in its configuration, and that public \
                 key {public_key} is enrolled for agent {agent}: {failed}"
            ),
            Standing::KeyRefused => error!(
                "This agent is known under another key, and its acks are kept: enrol public key {public_key} for agent {agent} \
                 anew with whoever runs the gateway, or give this host an `id` that no other host has: {failed}"
            ),
        }
    }
}

/// Whether everybody who was asked answered with one of `statuses`.
fn all(failures: &Failures, statuses: &[u16]) -> bool {
    let is_one = |reason: &Reason| match reason {
        Reason::Fault(Fault::Absent) => statuses.contains(&404),
        Reason::Fault(Fault::Status { status, .. }) => statuses.contains(&status.as_u16()),
        _ => false,
    };
    !failures.is_empty() && failures.iter().all(|failure| is_one(&failure.reason))
}
