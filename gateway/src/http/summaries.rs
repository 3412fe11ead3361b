//! `POST /v1/summaries`: what the gateways below counted.

use std::time::Duration;

use http::StatusCode;
use hyper::body::Incoming;
use serde::Serialize;
use tokio::time::Instant;

use super::answer::{self, Answer};
use super::service::Service;
use super::{body, turned};
use crate::acks::{NotTaken, Payer, Snapshot};
use crate::causes::in_one_line;
use crate::entrance::Caller;

impl Service {
    /// Takes the snapshot of a gateway below, in the place of the one before.
    pub(super) async fn summaries(&self, caller: &Caller, incoming: Incoming) -> Answer {
        #[derive(Serialize)]
        struct Body {
            accepted: usize,
        }
        match self.sum_up(caller, incoming).await {
            Ok(()) => answer::json(StatusCode::ACCEPTED, &Body { accepted: 1 }),
            Err(answer) => answer,
        }
    }

    async fn sum_up(&self, caller: &Caller, incoming: Incoming) -> Result<(), Answer> {
        caller.may_summarize().map_err(|wrong| turned::not_theirs(&wrong))?;
        let payer = match caller {
            Caller::Known(identity) => Payer::Gateway(identity.name()),
            Caller::Anyone(address) => Payer::Address(*address),
        };
        self.quotas.take(payer, self.uptime()).map_err(turned::exhausted)?;
        let body = body::read(incoming, MAX_BYTES).await?;
        let snapshot = Snapshot::read(&body).map_err(not_taken)?;
        caller.may_speak_for(&snapshot.name).map_err(|wrong| turned::not_theirs(&wrong))?;
        self.answers.below.take(snapshot, &self.name, Instant::now()).map_err(not_taken)
    }
}

fn not_taken(refused: NotTaken) -> Answer {
    let error = in_one_line(&refused);
    match refused {
        NotTaken::Shape(_) | NotTaken::Name(_) => {
            answer::problem(StatusCode::BAD_REQUEST, &error, "send the summary of a gateway")
        }
        NotTaken::OwnName => answer::problem(
            StatusCode::CONFLICT,
            &error,
            "give each gateway a `name` of its own, and no upstream below it",
        ),
        NotTaken::Full => {
            let hint = "put another level of gateways in between";
            answer::busy(StatusCode::SERVICE_UNAVAILABLE, &error, hint, Duration::from_secs(60))
        }
    }
}

const MAX_BYTES: u64 = 8 * 1024 * 1024;
