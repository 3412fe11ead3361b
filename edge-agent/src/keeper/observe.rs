//! What a keeper makes of an observation of its pointer.

use follower::Observation;
use schema::succession::Refusal;
use schema::{Digest, Pointer, Succession, Timestamp};
use tracing::{debug, error, info, warn};

use super::Keeper;
use crate::apply::{Accepted, Fetched, Host, NotAccepted, clock, in_one_line};
use crate::journal::JournalError;

impl Keeper {
    /// Accepts a pointer or refuses it, and never takes a missing one for a reason to do anything.
    pub(super) async fn observe(&mut self, host: &mut Host, observation: Observation) -> Result<(), JournalError> {
        match observation {
            Observation::Changed { bytes, from } => {
                let payload = Digest::of(&bytes);
                let fetched = Fetched { bytes, notified_at: clock() };
                // Before the pointer: a key that the newest root no longer lists opens nothing.
                host.site.trust.walk(&host.site.mirrors).await;
                let root = host.site.trust.newest();
                match fetched.verify(host, &root) {
                    Ok((accepted, succession)) => self.accept(host, accepted, succession).await?,
                    Err(refused) => {
                        self.follower.refused();
                        self.complain(&format!("{from} {payload}"), &refused, &from.to_string());
                    }
                }
            }
            Observation::Unchanged { .. } => {
                self.complaint.settle();
                if self.pointer.as_ref().is_some_and(|accepted| is_old(&accepted.pointer, host.now())) {
                    debug!("The pointer is past half of its validity: asking past every cache");
                    self.follower.doubt();
                }
            }
            Observation::Absent { failures, .. } => {
                if self.complaint.is_new("absent") {
                    warn!("There is no pointer; what runs goes on running: {failures}");
                }
            }
            Observation::Unreachable { failures } => {
                if self.complaint.is_new("unreachable") {
                    warn!("Nobody gives a pointer; what runs goes on running: {failures}");
                }
            }
        }
        Ok(())
    }

    async fn accept(
        &mut self,
        host: &mut Host,
        accepted: Accepted,
        succession: Succession,
    ) -> Result<(), JournalError> {
        let order = accepted.pointer.order();
        let before = self.pointer.take().filter(|before| before.pointer.order().same_generation(order));
        let accepted = match before {
            // It is the generation that we were told of then, whatever was signed since.
            Some(before) => Accepted { notified_at: before.notified_at, ..accepted },
            None => {
                self.backoff.forget();
                self.resting_until = None;
                accepted
            }
        };
        // In hand before it is durable, so that there is something to tell should it not become so.
        self.pointer = Some(accepted.clone());
        accepted.remember(host).await?;
        self.follower.accepted();
        self.complaint.settle();
        if succession == Succession::Newer {
            let generation = order.generation;
            info!(%generation, bundle = %accepted.pointer.stable.digest, "Generation {generation} is announced");
        }
        Ok(())
    }

    fn complain(&mut self, what: &str, refused: &NotAccepted, from: &str) {
        if !self.complaint.is_new(what) {
            return;
        }
        let reason = in_one_line(refused);
        match refused {
            NotAccepted::Succession(Refusal::Equivocation { offered, seen, .. }) => {
                error!(%offered, %seen, from, "Two signed pointers contradict each other; the first stays: {reason}");
            }
            NotAccepted::Succession(Refusal::Rollback { .. }) => {
                warn!(from, "An older pointer is offered and ignored: {reason}");
            }
            _ => warn!(from, "A pointer is offered and refused: {reason}"),
        }
    }
}

/// Whether more than half of a pointer's validity is over, by which time an honest publisher has signed it afresh.
fn is_old(pointer: &Pointer, now: Timestamp) -> bool {
    now.since(pointer.issued) > pointer.expires.since(pointer.issued) / 2
}
