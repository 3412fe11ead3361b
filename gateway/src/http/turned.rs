//! Tells those who may not come in, or not say what they say, why that is and what to do about it.

use std::time::Duration;

use http::header::{CONNECTION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use super::answer::{self, Answer};
use crate::acks::Exhausted;
use crate::entrance::{Admit, NotItsKey, NotTheirs, TurnedAway};

/// To a request without the credentials that `admit` wants.
pub(super) fn away(turned_away: &TurnedAway, admit: Admit) -> Answer {
    let hint = match turned_away {
        TurnedAway::Nothing => match admit {
            Admit::Certificate => "connect with a client certificate",
            Admit::Token => "send `Authorization: Bearer <token>`",
            Admit::CertificateOrToken | Admit::Anyone => {
                "connect with a client certificate, or send `Authorization: Bearer <token>`"
            }
        },
        TurnedAway::Unreadable => "send one line `Authorization: Bearer <token>`",
        TurnedAway::UnknownToken => {
            "put the token's sha256 into this gateway's `agents` file, or mend the token's file"
        }
        TurnedAway::Expired { .. } => "make a new token, and put its sha256 into this gateway's `agents` file",
        TurnedAway::Unnamed(_) => "get a certificate with exactly one DNS name, which is the agent's name",
        TurnedAway::Unregistered { .. } => "add the name to this gateway's `agents` file",
    };
    let by_token = admit.by_token() && !matches!(turned_away, TurnedAway::Unnamed(_) | TurnedAway::Unregistered { .. });
    let status = if by_token { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
    let mut answer = answer::problem(status, &turned_away.to_string(), hint);
    if by_token {
        let challenge = match turned_away {
            TurnedAway::Nothing => r#"Bearer realm="driftless""#,
            _ => r#"Bearer realm="driftless", error="invalid_token""#,
        };
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    // Who may not come in does not keep a place.
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// To a caller that speaks for another.
pub(super) fn not_theirs(not_theirs: &NotTheirs) -> Answer {
    let hint = match not_theirs {
        NotTheirs::Role { .. } => "move the name to the right list of this gateway's `agents` file",
        NotTheirs::Name { .. } => "give the host credentials of its own, or the name that its credentials have",
    };
    answer::problem(StatusCode::FORBIDDEN, &not_theirs.to_string(), hint)
}

/// To acks that are signed by a key which is not the agent's.
pub(super) fn not_its_key(not_its_key: &NotItsKey) -> Answer {
    let error = not_its_key.to_string();
    match not_its_key {
        NotItsKey::Unregistered { .. } => {
            answer::problem(StatusCode::FORBIDDEN, &error, "add the name to `agents` in this gateway's `agents` file")
        }
        NotItsKey::NotRegistered { .. } => {
            let hint = "if the host was set up anew, put the key that `driftless-agent identity` prints there into this \
                        gateway's `agents` file; if not, somebody else speaks in its name";
            answer::problem(StatusCode::FORBIDDEN, &error, hint)
        }
        NotItsKey::NotFirstSeen { .. } => {
            let hint = "if the host was set up anew, list the key that `driftless-agent identity` prints there in this \
                        gateway's `agents` file, or restart the gateway; if not, two hosts share the name";
            answer::problem(StatusCode::CONFLICT, &error, hint)
        }
        NotItsKey::Full => answer::busy(StatusCode::SERVICE_UNAVAILABLE, &error, FULL, Duration::from_secs(60)),
    }
}

/// To a caller that says too much.
pub(super) fn exhausted(exhausted: Exhausted) -> Answer {
    let error = exhausted.to_string();
    match exhausted {
        Exhausted::Payer { retry_after } => {
            let hint = "one batch for each generation is enough; check that no two hosts share the name";
            answer::busy(StatusCode::TOO_MANY_REQUESTS, &error, hint, retry_after)
        }
        Exhausted::Everyone => answer::busy(StatusCode::SERVICE_UNAVAILABLE, &error, FULL, Duration::from_secs(60)),
    }
}

/// To an address from which too many tokens came that nobody has.
pub(super) fn too_many_guesses(exhausted: Exhausted) -> Answer {
    let error = "too many tokens that nobody has came from this address";
    match exhausted {
        Exhausted::Payer { retry_after } => {
            answer::busy(StatusCode::TOO_MANY_REQUESTS, error, "mend the token's file, then wait", retry_after)
        }
        Exhausted::Everyone => answer::busy(StatusCode::SERVICE_UNAVAILABLE, error, "wait", Duration::from_secs(60)),
    }
}

/// Where more speak than there is memory for.
pub(super) const FULL: &str = "raise `ack_agents_max`, or spread the agents over more gateways";
