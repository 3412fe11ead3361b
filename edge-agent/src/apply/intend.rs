//! Second step: what is about to be switched, and from what, durable before the first byte is fetched.

use schema::pointer::Target;
use schema::time::Length;

use super::marks::INTENT;
use super::{Accepted, Enclosed, Host, Setback};
use crate::journal::{Intent, Record};

/// A generation whose attempt is on record.
pub(crate) struct Intended {
    pub(super) target: Target,
    pub(super) intent: Intent,
    pub(super) enclosed: Enclosed,
}

impl Intended {
    /// Records the attempt at `target`, unless the same attempt is on record already.
    pub(super) async fn record(
        host: &mut Host,
        accepted: &Accepted,
        target: Target,
        confirm_within: Option<Length>,
    ) -> Result<Intended, Setback> {
        let order = accepted.pointer.order();
        let previous = host.active().await?;
        let previous = host.ledger.state().way_back(previous, &target.digest);
        let begun = host.ledger.state().intent.filter(|intent| {
            intent.order.same_generation(order)
                && (intent.target, intent.previous) == (target.digest, previous)
                && intent.confirm_within == confirm_within
        });
        let intent = match begun {
            Some(intent) => intent,
            None => {
                let (decided_at, notified_at) = (Some(host.now()), accepted.notified_at);
                let intent = Intent { order, target: target.digest, previous, notified_at, decided_at, confirm_within };
                host.ledger.append(Record::Intent(intent)).await?;
                intent
            }
        };
        host.passed(INTENT)?;
        Ok(Intended { target, intent, enclosed: accepted.enclosed.clone() })
    }

    /// An attempt to get `target` ready. It is on no record: nothing is switched, so nothing has to be finished.
    pub(super) async fn to_prepare(host: &Host, accepted: &Accepted, target: Target) -> Result<Intended, Setback> {
        let (order, current) = (accepted.pointer.order(), host.active().await?);
        let intent = Intent::unrecorded(order, target.digest, current, accepted.notified_at);
        Ok(Intended { target, intent, enclosed: accepted.enclosed.clone() })
    }
}
