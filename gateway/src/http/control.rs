//! `/v1/control/…`: calls for a publisher beside this gateway, bounded and passed on.
//!
//! They bring a token of their own, whatever agents have to bring; a client certificate is asked for where agents have to
//! show one. Each address may be wrong about a token now and then, and no oftener.

use std::time::Duration;

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::answer::{self, Answer};
use super::service::Service;
use super::{body, turned};
use crate::acks::Payer;
use crate::control::{Beside, Call, Control};
use crate::entrance::{Bearer, Peer, bearer_text};

impl Service {
    /// Passes a call on to whoever answers it; `path` is what comes after `/v1/control/`.
    pub(super) async fn control(&self, peer: &Peer, path: String, request: Request<Incoming>) -> Answer {
        let Some(Beside(control)) = &self.control else {
            let hint = "ask the address that `driftless up`, or `driftless publisher --listen`, serves on";
            return answer::problem(StatusCode::NOT_FOUND, "this gateway has no publisher beside it", hint);
        };
        let (head, incoming) = request.into_parts();
        let token = match bearer_text(&head.headers) {
            Bearer::Token(token) => Some(Zeroizing::new(token.to_owned())),
            Bearer::Nothing => None,
            Bearer::Unreadable => {
                let (error, hint) =
                    ("`Authorization` is not one bearer token", "send one line `Authorization: Bearer <token>`");
                return unauthorized(answer::problem(StatusCode::UNAUTHORIZED, error, hint));
            }
        };
        // Paid for before it is known whether it is a guess, so that many at once cannot all be the first.
        let payer = Payer::Operator(peer.address);
        if let Err(exhausted) = self.quotas.take(payer, self.uptime()) {
            self.metrics.refused("token guesses");
            return turned::too_many_guesses(exhausted);
        }
        let query = head.uri.query().map(str::to_owned);
        let call = Call { method: head.method, path, query, token, body: Bytes::new() };
        let answer = call_on(&**control, call, incoming).await;
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.metrics.refused("credentials");
            return unauthorized(answer);
        }
        self.quotas.give_back(payer);
        answer
    }
}

/// Reads the body of `call`, and has it answered.
async fn call_on(control: &dyn Control, call: Call, incoming: Incoming) -> Answer {
    let body = match body::read(incoming, Call::BODY_MAX_BYTES).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Ok(reply) = timeout(WITHIN, control.call(Call { body, ..call })).await else {
        let hint = "look at `driftless rollout status` before you send it again: it may be done";
        return answer::problem(StatusCode::GATEWAY_TIMEOUT, "the publisher has not answered in time", hint);
    };
    answer::json(reply.status, &reply.json)
}

fn unauthorized(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="driftless control""#));
    answer
}

/// Whoever answers has deadlines of its own; this is for one that hangs.
const WITHIN: Duration = Duration::from_secs(60);
