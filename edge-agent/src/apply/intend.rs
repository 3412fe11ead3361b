//! Second step: what is about to be switched, and from what, durable before the first byte is fetched.

use schema::pointer::Target;
use schema::{Digest, Order};

use super::marks::INTENT;
use super::{Accepted, Host, Setback};
use crate::journal::{Intent, Record};

/// A generation whose attempt is on record.
pub(crate) struct Intended {
    pub(super) target: Target,
    pub(super) intent: Intent,
}

impl Intended {
    /// Records the attempt at `target`, unless the same attempt is on record already.
    pub(super) async fn record(host: &mut Host, accepted: &Accepted, target: Target) -> Result<Intended, Setback> {
        let order = accepted.pointer.order();
        let previous = host.active().await?;
        let begun = host.ledger.state().intent.filter(|intent| {
            intent.order.same_generation(order) && (intent.target, intent.previous) == (target.digest, previous)
        });
        let intent = match begun {
            Some(intent) => intent,
            None => {
                let intent = Intended::first_try(order, target, previous, accepted);
                host.ledger.append(Record::Intent(intent)).await?;
                intent
            }
        };
        host.passed(INTENT)?;
        Ok(Intended { target, intent })
    }

    fn first_try(order: Order, target: Target, previous: Option<Digest>, accepted: &Accepted) -> Intent {
        Intent { order, target: target.digest, previous, notified_at: accepted.notified_at }
    }
}
