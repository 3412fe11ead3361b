//! Tells the upstream what was counted here and below.
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
use crate::view::View;

/// Reports, again and again, until `shutdown`.
pub(crate) async fn run(
    name: AgentId,
    mirrors: Mirrors,
    view: Arc<View>,
    answers: Arc<Answers>,
    shutdown: CancellationToken,
) {
    let mut reporter = Reporter { name, mirrors, view, answers, told: None };
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
    /// What the upstream was told last, and when.
    told: Option<(Vec<RegionCount>, Instant)>,
}

impl Reporter {
    /// Reports, unless the upstream knows it all and has heard of us lately.
    async fn report(&mut self) {
        let now = Instant::now();
        let regions = self.regions(now);
        let known = self.told.as_ref().is_some_and(|(told, at)| *told == regions && now < *at + STILL_HERE_EVERY);
        if known || (regions.is_empty() && self.told.is_none()) {
            return;
        }
        let summary = Summary { gateway: self.name.to_string(), at: clock::now(), relays: 0, regions };
        let body = serde_json::to_vec(&summary).expect("a summary has string keys");
        match self.mirrors.post("v1/summaries", body.into(), ANSWER_MAX_BYTES).await {
            Ok(_) => {
                self.view.health.fine(&Subject::Report);
                self.told = Some((summary.regions, now));
            }
            Err(error) => self.view.health.trouble(Subject::Report, &error),
        }
    }

    /// Every app and region about which somebody said something.
    fn regions(&self, now: Instant) -> Vec<RegionCount> {
        let counts = self.view.board.slots().into_iter().map(|(pair, _)| RegionCount {
            agents: self.answers.summary(&pair, now),
            app: pair.app,
            region: pair.region,
        });
        counts.filter(|count| count.agents.known > 0).collect()
    }
}

const EVERY: Duration = Duration::from_secs(2);
/// Well before an upstream forgets a gateway that is silent.
const STILL_HERE_EVERY: Duration = Duration::from_secs(60);
const ANSWER_MAX_BYTES: u64 = 64 * 1024;
