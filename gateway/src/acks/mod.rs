//! What agents say: counted here by their own signed words, whether they came directly or were sent along by a gateway below;
//! and summed up with what older gateways below, which send nothing along, counted themselves.

mod below;
mod ledger;
mod outbox;
mod quota;
mod said;
mod spread;
mod tally;
mod word;

use schema::status::RegionSummary;
use tokio::time::Instant;

pub(crate) use below::{Below, NotTaken, Snapshot};
pub(crate) use ledger::{Ledger, Parcel, Refused, Seals, Taken};
pub(crate) use outbox::Speaker;
pub(crate) use quota::{Exhausted, Payer, Quotas};
pub(crate) use tally::Came;

use crate::pair::Pair;

/// What agents said here, and what the gateways below report.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) here: Ledger,
    pub(crate) below: Below,
}

impl Answers {
    pub(crate) fn new(agents_max: usize, seals: Seals) -> Answers {
        Answers { here: Ledger::new(agents_max, seals), below: Below::default() }
    }

    /// What the gateways below report of agents of `pair` whose words nobody sends along.
    pub(crate) fn reported(&self, pair: &Pair, now: Instant) -> RegionSummary {
        let mut summary = RegionSummary::default();
        self.below.add_to(&mut summary, pair, now);
        summary
    }

    /// What the agents of `pair` said, here and below.
    pub(crate) fn summary(&self, pair: &Pair, now: Instant) -> RegionSummary {
        let mut summary = self.here.summary(pair);
        self.below.add_to(&mut summary, pair, now);
        summary
    }
}
