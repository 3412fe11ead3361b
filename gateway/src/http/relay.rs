//! `POST /v1/acks/relay`: what the agents of a gateway below say, as they signed it.
//!
//! It counts as if the agents had said it here, by their own keys and no others; the gateway that sends it vouches for none.
//! What is wrong with the words of one agent keeps no other's out. Those that may hold later are named in the answer, so that
//! they come again; so is the run of this gateway, so that all is sent again to one that forgot it all.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::StatusCode;
use hyper::body::Incoming;
use schema::ack::{InvalidAcks, Relay};
use schema::{AckBatch, Limits};
use tokio::time::timeout;

use super::acks::{FOLLOW_WITHIN, VERIFY_WITHIN, pairs_of};
use super::answer::{self, Answer};
use super::body;
use super::not_counted::NotCounted;
use super::service::Service;
use crate::acks::{Came, Payer, Taken};
use crate::causes::in_one_line;
use crate::clock;
use crate::entrance::{Caller, Voucher};
use crate::pair::Pair;
use crate::relay::Received;

impl Service {
    /// Counts what the agents of a gateway below say. Safe to repeat.
    pub(super) async fn relay(&self, caller: &Caller, incoming: Incoming) -> Answer {
        match self.receive(caller, incoming).await {
            Ok(received) => {
                self.metrics.acks("accepted", received.accepted);
                self.metrics.acks("ignored", received.ignored);
                answer::json(StatusCode::ACCEPTED, &received)
            }
            Err(not_counted) => {
                self.metrics.acks(not_counted.outcome(), 1);
                not_counted.into_answer()
            }
        }
    }

    async fn receive(&self, caller: &Caller, incoming: Incoming) -> Result<Received, NotCounted> {
        caller.may_summarize()?;
        let payer = match caller {
            Caller::Known(identity) => Payer::Relay(identity.name()),
            Caller::Anyone(address) => Payer::Address(*address),
        };
        self.quotas.take(payer, self.uptime())?;
        let body =
            body::read(incoming, Relay::MAX_BYTES).await.map_err(|answer| NotCounted::NoBody(Box::new(answer)))?;
        let parts = Relay::split(&body).map_err(|invalid| {
            let hint = "send bodies of `/v1/acks` one after the other, fewer at a time";
            NotCounted::NoBody(Box::new(answer::problem(StatusCode::BAD_REQUEST, &in_one_line(&invalid), hint)))
        })?;
        let parts = self.verify_parts(parts).await?;
        let unknown = self.unknown_of(parts.iter().flatten().flat_map(pairs_of).collect()).await;
        let mut received = Received::by(self.boot);
        for (number, part) in parts.into_iter().enumerate() {
            match part.map_err(NotCounted::Invalid).and_then(|batch| self.receive_part(&batch, &unknown)) {
                Ok(Taken { accepted, ignored }) => {
                    received.accepted += accepted;
                    received.ignored += ignored;
                }
                Err(not_counted) => {
                    self.metrics.acks(not_counted.outcome(), 1);
                    match not_counted.may_count_later() {
                        true => received.later.push(number),
                        false => received.refused += 1,
                    }
                }
            }
        }
        Ok(received)
    }

    /// Counts the words of one agent.
    fn receive_part(&self, batch: &AckBatch, unknown: &BTreeSet<Pair>) -> Result<Taken, NotCounted> {
        let (registry, now) = (self.door.registry(), clock::now());
        self.keys.check((&batch.agent, &batch.key), Voucher::Nobody, registry.as_deref(), now)?;
        if let Some(pair) = pairs_of(batch).find(|pair| unknown.contains(pair)) {
            return Err(NotCounted::not_known_yet(&pair));
        }
        self.answers.here.take(batch, &self.view.board, now, Came::Relayed).map_err(NotCounted::Refused)
    }

    /// Checks the signatures of each part, where that keeps nobody else waiting.
    async fn verify_parts(&self, parts: Vec<Bytes>) -> Result<Vec<Result<AckBatch, InvalidAcks>>, NotCounted> {
        let permit = timeout(VERIFY_WITHIN, self.verifying.acquire()).await.map_err(|_elapsed| NotCounted::Busy)?;
        let open = move || parts.iter().map(|part| AckBatch::open(part, &Limits::DEFAULT)).collect();
        let opened = tokio::task::spawn_blocking(open).await;
        drop(permit);
        Ok(opened.expect("checking signatures does not panic, and the runtime outlives its tasks"))
    }

    /// Those of `pairs` of which it is not known whether they have a pointer. All others are followed from now on.
    async fn unknown_of(&self, pairs: BTreeSet<Pair>) -> BTreeSet<Pair> {
        let mut unknown = pairs.clone();
        let asking = async {
            for pair in pairs {
                match self.slot(pair.clone()).await {
                    Err(answer) if answer.status() != StatusCode::NOT_FOUND => {}
                    Ok(_) | Err(_) => _ = unknown.remove(&pair),
                }
            }
        };
        // What was not asked in time stays unknown.
        let _ = timeout(FOLLOW_WITHIN, asking).await;
        unknown
    }
}
