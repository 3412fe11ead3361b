//! What agents say: counted here, and summed up with what the gateways below counted.

mod below;
mod ledger;
mod quota;
mod said;
mod spread;
mod tally;

use schema::status::RegionSummary;
use tokio::time::Instant;

pub(crate) use below::{Below, NotTaken, Snapshot};
pub(crate) use ledger::{Ledger, Refused, Taken};
pub(crate) use quota::{Exhausted, Payer, Quotas};

use crate::pair::Pair;

/// What agents said here, and what the gateways below report.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) here: Ledger,
    pub(crate) below: Below,
}

impl Answers {
    pub(crate) fn new(agents_max: usize) -> Answers {
        Answers { here: Ledger::new(agents_max), below: Below::default() }
    }

    /// What the agents of `pair` said, here and below.
    pub(crate) fn summary(&self, pair: &Pair, now: Instant) -> RegionSummary {
        let mut summary = self.here.summary(pair);
        self.below.add_to(&mut summary, pair, now);
        summary
    }
}
