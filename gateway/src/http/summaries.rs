//! `POST /v1/summaries`: what the gateways below counted.

use std::time::Duration;

use http::StatusCode;
use hyper::body::Incoming;
use serde::Serialize;
use tokio::time::Instant;

use super::answer::{self, Answer};
use super::body;
use super::service::Service;
use crate::acks::NotTaken;
use crate::causes::in_one_line;

impl Service {
    /// Takes the snapshot of a gateway below, in the place of the one before.
    pub(super) async fn summaries(&self, incoming: Incoming) -> Answer {
        #[derive(Serialize)]
        struct Body {
            accepted: usize,
        }
        let body = match body::read(incoming, MAX_BYTES).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let Err(refused) = self.answers.below.take(&body, self.name.as_str(), Instant::now()) else {
            return answer::json(StatusCode::ACCEPTED, &Body { accepted: 1 });
        };
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
}

const MAX_BYTES: u64 = 8 * 1024 * 1024;
