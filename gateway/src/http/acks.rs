//! `POST /v1/acks`: what agents say, counted.
//!
//! The cheap refusals come first: who asks, how often, how many bytes. Only then signatures are looked at, and not on the
//! threads that serve connections; then whose key it is; and only then what is said.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use hyper::body::Incoming;
use schema::{AckBatch, Limits};
use serde::Serialize;
use tokio::time::timeout;

use super::answer::{self, Answer};
use super::body;
use super::not_counted::NotCounted;
use super::service::Service;
use crate::acks::{Came, Payer, Taken};
use crate::clock;
use crate::entrance::{Caller, Kept};
use crate::pair::Pair;

impl Service {
    /// Counts a batch. Answered before anything is told upwards, and safe to repeat.
    pub(super) async fn acks(&self, caller: &Caller, incoming: Incoming) -> Answer {
        #[derive(Serialize)]
        struct Body {
            accepted: usize,
            ignored: usize,
        }
        match self.count(caller, incoming).await {
            Ok(Taken { accepted, ignored }) => {
                self.metrics.acks("accepted", accepted);
                self.metrics.acks("ignored", ignored);
                answer::json(StatusCode::ACCEPTED, &Body { accepted, ignored })
            }
            Err(not_counted) => {
                self.metrics.acks(not_counted.outcome(), 1);
                not_counted.into_answer()
            }
        }
    }

    async fn count(&self, caller: &Caller, incoming: Incoming) -> Result<Taken, NotCounted> {
        caller.may_ack()?;
        let payer = match caller {
            Caller::Known(identity) => Payer::Agent(identity.name()),
            Caller::Anyone(address) => Payer::Address(*address),
        };
        self.quotas.take(payer, self.uptime())?;
        let body = body::read(incoming, AckBatch::max_bytes(&Limits::DEFAULT)).await;
        let body = body.map_err(|answer| NotCounted::NoBody(Box::new(answer)))?;
        let batch = self.verify(body).await?;
        caller.may_speak_for(&batch.agent)?;
        let registry = self.door.registry();
        let kept = self.keys.check((&batch.agent, &batch.key), caller.voucher(), registry.as_deref(), clock::now())?;
        if kept == Kept::Anew {
            self.answers.here.forget(&batch.agent);
        }
        if let Caller::Anyone(_) = caller {
            // That it is the agent is known only now.
            self.quotas.take(Payer::Agent(&batch.agent), self.uptime())?;
        }
        self.follow_all(&batch).await.map_err(|answer| NotCounted::NotKnown(Box::new(answer)))?;
        let now = clock::now();
        self.answers.here.take(&batch, &self.view.board, now, Came::Directly).map_err(NotCounted::Refused)
    }

    /// Checks every signature of a body, where that keeps nobody else waiting; so many bodies at a time, and no more.
    async fn verify(&self, body: Bytes) -> Result<AckBatch, NotCounted> {
        let permit = timeout(VERIFY_WITHIN, self.verifying.acquire()).await.map_err(|_elapsed| NotCounted::Busy)?;
        let opened = tokio::task::spawn_blocking(move || AckBatch::open(&body, &Limits::DEFAULT)).await;
        drop(permit);
        let opened = opened.expect("checking signatures does not panic, and the runtime outlives its tasks");
        opened.map_err(NotCounted::Invalid)
    }

    /// Sees to it that every pointer of the batch that exists is followed: after a restart an agent may answer before anyone
    /// asked for its pointer, and what it says must not be lost.
    async fn follow_all(&self, batch: &AckBatch) -> Result<(), Answer> {
        let pairs: BTreeSet<Pair> = pairs_of(batch).collect();
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
}

/// What a batch is about; each as often as it occurs.
pub(super) fn pairs_of(batch: &AckBatch) -> impl Iterator<Item = Pair> {
    batch.acks.iter().map(|signed| Pair { app: signed.ack.app.clone(), region: signed.ack.region.clone() })
}

/// Less than agents wait for the head of an answer.
pub(super) const FOLLOW_WITHIN: Duration = Duration::from_secs(8);
pub(super) const VERIFY_WITHIN: Duration = Duration::from_secs(5);
