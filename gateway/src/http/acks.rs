//! `POST /v1/acks`: what agents say, counted.

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use hyper::body::Incoming;
use schema::{AckBatch, Limits};
use serde::Serialize;
use tokio::time::timeout;

use super::answer::{self, Answer};
use super::body;
use super::service::Service;
use crate::acks::{Refused, Taken};
use crate::causes::in_one_line;
use crate::clock;
use crate::pair::Pair;

impl Service {
    /// Counts a batch. Answered before anything is told upwards, and safe to repeat.
    pub(super) async fn acks(&self, incoming: Incoming) -> Answer {
        let limits = Limits::DEFAULT;
        let body = match body::read(incoming, AckBatch::max_bytes(&limits)).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let batch = match AckBatch::parse(&body, &limits) {
            Ok(batch) => batch,
            Err(error) => {
                self.metrics.acks("malformed", 1);
                return answer::problem(
                    StatusCode::BAD_REQUEST,
                    &in_one_line(&error),
                    "send a batch of `driftless/acks/1`",
                );
            }
        };
        if let Err(answer) = self.follow_all(&batch).await {
            return answer;
        }
        match self.answers.here.take(&batch.acks, &self.view.board, clock::now(), self.uptime()) {
            Ok(taken) => self.taken(taken),
            Err(refused) => self.refused(&refused),
        }
    }

    /// Sees to it that every pointer of the batch that exists is followed: after a restart an agent may answer before anyone
    /// asked for its pointer, and what it says must not be lost.
    async fn follow_all(&self, batch: &AckBatch) -> Result<(), Answer> {
        let pairs = batch.acks.iter().map(|ack| Pair { app: ack.app.clone(), region: ack.region.clone() });
        let pairs: BTreeSet<Pair> = pairs.collect();
        let following = async {
            for pair in pairs {
                match self.slot(pair).await {
                    Err(answer) if answer.status() != StatusCode::NOT_FOUND => return Err(answer),
                    Ok(_) | Err(_) => {}
                }
            }
            Ok(())
        };
        if let Ok(followed) = timeout(FOLLOW_WITHIN, following).await {
            return followed;
        }
        let error = "whether there are pointers for all of it is not known yet";
        Err(answer::busy(StatusCode::SERVICE_UNAVAILABLE, error, "send it again in a moment", Duration::from_secs(1)))
    }

    fn taken(&self, Taken { accepted, ignored }: Taken) -> Answer {
        #[derive(Serialize)]
        struct Body {
            accepted: usize,
            ignored: usize,
        }
        self.metrics.acks("accepted", accepted);
        self.metrics.acks("ignored", ignored);
        answer::json(StatusCode::ACCEPTED, &Body { accepted, ignored })
    }

    fn refused(&self, refused: &Refused) -> Answer {
        let error = refused.to_string();
        match refused {
            Refused::TooOften { retry_after, .. } => {
                self.metrics.acks("too_often", 1);
                let hint = "one batch a second is enough; check that no two hosts share the name";
                answer::busy(StatusCode::TOO_MANY_REQUESTS, &error, hint, *retry_after)
            }
            Refused::Full => {
                self.metrics.acks("full", 1);
                let hint = "raise `ack_agents_max`, or spread the agents over more gateways";
                answer::busy(StatusCode::SERVICE_UNAVAILABLE, &error, hint, Duration::from_secs(60))
            }
            Refused::Ahead { .. } => {
                self.metrics.acks("ahead", 1);
                let hint = "send it again when this gateway has caught up";
                answer::busy(StatusCode::SERVICE_UNAVAILABLE, &error, hint, Duration::from_secs(2))
            }
        }
    }
}

/// Less than agents wait for the head of an answer.
const FOLLOW_WITHIN: Duration = Duration::from_secs(8);
