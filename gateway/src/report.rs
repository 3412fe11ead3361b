//! Tells the upstream what was counted here and below, but for those agents whose own words are sent to it (`relay.rs`):
//! those it counts itself.
//!
//! Each report is a full snapshot under this gateway's name, so one that is lost or repeated changes nothing.

use std::sync::Arc;
use std::time::Duration;

use follower::Mirrors;
use schema::AgentId;
use schema::status::{RegionCount, Summary};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::acks::Answers;
use crate::clock;
use crate::health::Subject;
use crate::pair::Pair;
use crate::relay::Taken;
use crate::view::View;

/// Reports, again and again, until `shutdown`.
pub(crate) async fn run(
    name: AgentId,
    mirrors: Mirrors,
    view: Arc<View>,
    answers: Arc<Answers>,
    taken: Arc<Taken>,
    shutdown: CancellationToken,
) {
    let mut reporter = Reporter { name, mirrors, view, answers, taken, told: None };
    let again_and_again = async {
        loop {
            sleep(EVERY.mul_f64(0.5 + fastrand::f64())).await;
            reporter.report().await;
        }
    };
    shutdown.run_until_cancelled(again_and_again).await;
}

struct Reporter {
    name: AgentId,
    mirrors: Mirrors,
    view: Arc<View>,
    answers: Arc<Answers>,
    /// Whether the upstream has the agents' own words.
    taken: Arc<Taken>,
    /// What the upstream was told last, and when.
    told: Option<(u64, Vec<RegionCount>, Instant)>,
}

impl Reporter {
    /// Reports, unless the upstream knows it all and has heard of us lately.
    async fn report(&mut self) {
        let now = Instant::now();
        let taken = self.taken.is_so();
        let relays = if taken { self.answers.here.known() as u64 } else { 0 };
        let regions = self.regions(taken, now);
        let known = self
            .told
            .as_ref()
            .is_some_and(|(relayed, told, at)| (*relayed, told) == (relays, &regions) && now < *at + STILL_HERE_EVERY);
        if known || (relays == 0 && regions.is_empty() && self.told.is_none()) {
            return;
        }
        let summary = Summary { gateway: self.name.to_string(), at: clock::now(), relays, regions };
        let body = serde_json::to_vec(&summary).expect("a summary has string keys");
        match self.mirrors.post("v1/summaries", body.into(), ANSWER_MAX_BYTES).await {
            Ok(_) => {
                self.view.health.fine(&Subject::Report);
                self.told = Some((relays, summary.regions, now));
            }
            Err(error) => self.view.health.trouble(Subject::Report, &error),
        }
    }

    /// Every app and region about which somebody said something that the upstream does not have word for word.
    fn regions(&self, taken: bool, now: Instant) -> Vec<RegionCount> {
        let count =
            |pair: &Pair| if taken { self.answers.reported(pair, now) } else { self.answers.summary(pair, now) };
        let slots = self.view.board.slots().into_iter();
        let counts = slots.map(|(pair, _)| RegionCount { agents: count(&pair), app: pair.app, region: pair.region });
        counts.filter(|count| count.agents.known > 0).collect()
    }
}

const EVERY: Duration = Duration::from_secs(2);
/// Well before an upstream forgets a gateway that is silent.
const STILL_HERE_EVERY: Duration = Duration::from_secs(60);
const ANSWER_MAX_BYTES: u64 = 64 * 1024;
