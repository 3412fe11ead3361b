//! Many agents in one process: the real library, each with a folder, an identity and connections of its own.
//!
//! In: where they live, whom they ask, what they run. Out: for one generation after another, what each of them answered, and
//! when it reached which step. Knows nothing of other processes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use edge_agent::{AgentError, AppConfig, Config, STEPS};
use follower::{BaseUrl, Credentials};
use schema::time::Length;
use schema::{Ack, AgentId, App, Outcome, Region};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::marks::{Marks, Moments};
use crate::exit::Failure;

/// What the agents are told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    /// The number of the first of them.
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) app: App,
    pub(super) region: Region,
    pub(super) root: PathBuf,
    /// Folder of all their folders.
    pub(super) states: PathBuf,
    /// They are spread over these.
    pub(super) gateways: Vec<String>,
    /// How many may be between their start and their first answer.
    pub(super) at_once: usize,
}

/// The agents of this process.
pub(super) struct Agents {
    running: JoinSet<Result<(), AgentError>>,
    stop: CancellationToken,
    acks: UnboundedReceiver<Ack>,
    marks: Marks,
    count: usize,
}

/// What one agent answered about one generation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    /// Microseconds since 1970 when it had the pointer; its acks tell milliseconds.
    pub(super) notified: u64,
    /// When it reached each step, in the same unit.
    pub(super) moments: BTreeMap<String, u64>,
    pub(super) outcome: Outcome,
    /// Bundle bytes that moved.
    pub(super) bundle_bytes: u64,
}

impl Agents {
    /// Starts all of them, a few at a time, and waits until every one runs what it is asked to run and was heard.
    pub(super) async fn start(orders: &Orders, marks: Marks) -> Result<Agents, Failure> {
        let (observer, acks) = mpsc::unbounded_channel();
        let mut agents = Agents { running: JoinSet::new(), stop: CancellationToken::new(), acks, marks, count: 0 };
        for number in orders.first..orders.first + orders.count {
            let agent = edge_agent::run(orders.config(number)?, Some(observer.clone()), agents.stop.clone());
            agents.running.spawn(agent.instrument(Marks::span(number)));
            agents.count += 1;
            agents.until(agents.count.saturating_sub(orders.at_once)).await?;
        }
        agents.until(agents.count).await?;
        Ok(agents)
    }

    /// Waits until all are done with a generation, or `patience` is over, and gives the answers about it. Whoever gave none by
    /// then is not among them. What is heard later counts for the next one.
    pub(super) async fn answers(&mut self, generation: u64, patience: Duration) -> Result<Vec<Answer>, Failure> {
        let begun = Instant::now();
        while self.marks.reached(DONE) < self.count && begun.elapsed() < patience {
            self.check()?;
            sleep(LOOK_EVERY).await;
        }
        let mut moments = self.marks.take();
        let acks = std::iter::from_fn(|| self.acks.try_recv().ok());
        let meant = acks.filter(|ack| ack.generation.number() == generation);
        // The last word counts: what was refused may have been applied a moment later.
        let last: BTreeMap<u64, Ack> = meant.filter_map(|ack| Some((number_of(&ack.agent)?, ack))).collect();
        Ok(last.into_iter().filter_map(|(number, ack)| Answer::of(&ack, moments.remove(&number)?)).collect())
    }

    /// Stops them, each after the step that it is in.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        self.stop.cancel();
        while let Some(ended) = self.running.join_next().await {
            ended.map_err(Failure::unexpected)?.map_err(Failure::unexpected)?;
        }
        Ok(())
    }

    async fn until(&mut self, done: usize) -> Result<(), Failure> {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let now = self.marks.reached(DONE);
            if now >= done {
                return Ok(());
            }
            if now > last {
                (last, since) = (now, Instant::now());
            }
            if since.elapsed() > STUCK {
                let stuck =
                    format!("{now} of {} agents answered, and no other one in {} s", self.count, STUCK.as_secs());
                return Err(Failure::unexpected(stuck).hint("run again with --log info to see why"));
            }
            self.check()?;
            sleep(LOOK_EVERY).await;
        }
    }

    /// Fails where an agent ended by itself.
    fn check(&mut self) -> Result<(), Failure> {
        match self.running.try_join_next() {
            None => Ok(()),
            Some(Ok(Ok(()))) => Err(Failure::unexpected("an agent ended by itself")),
            Some(Ok(Err(error))) => Err(Failure::unexpected(error)),
            Some(Err(panicked)) => Err(Failure::unexpected(panicked)),
        }
    }
}

impl Orders {
    fn config(&self, number: u64) -> Result<Config, Failure> {
        let id: AgentId = format!("agent-{number:06}").parse().expect("a valid name");
        let from = &self.gateways[number as usize % self.gateways.len()];
        let from: BaseUrl = from.parse().map_err(Failure::usage)?;
        Ok(Config {
            region: self.region.clone(),
            labels: BTreeMap::new(),
            root: self.root.clone(),
            state: self.states.join(id.as_str()),
            from: vec![from],
            credentials: Credentials::default(),
            wait: Length(WAIT),
            poll: Length(POLL),
            heartbeat: Length(SELDOM),
            keep: KEEP,
            scrub_every: Length(SELDOM),
            metrics: None,
            apps: [(self.app.clone(), AppConfig::default())].into(),
            id,
        })
    }
}

impl Answer {
    fn of(ack: &Ack, moments: Moments) -> Option<Answer> {
        Some(Answer {
            notified: u64::try_from(ack.notified_at.unix_millis()).ok()? * 1000,
            moments: moments.into_iter().map(|(step, at)| (step.to_owned(), at)).collect(),
            outcome: ack.outcome,
            bundle_bytes: ack.bundle_bytes,
        })
    }
}

fn number_of(agent: &AgentId) -> Option<u64> {
    agent.as_str().strip_prefix("agent-")?.parse().ok()
}

/// The step after which an agent has nothing left to do: its answer was answered.
const DONE: &str = STEPS[13];
/// As agents do where nobody says otherwise.
const WAIT: Duration = Duration::from_secs(55);
const POLL: Duration = Duration::from_secs(10);
pub(super) const KEEP: usize = 5;
/// What repeats by itself would be measured along with what is not to be repeated.
const SELDOM: Duration = Duration::from_secs(24 * 60 * 60);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long nothing at all may happen.
const STUCK: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_done_when_their_answer_is_answered() {
        assert_eq!(DONE, "apply-acked");
    }

    #[test]
    fn agents_wait_poll_and_keep_as_they_do_where_nobody_says_otherwise() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("agent.yaml");
        let text =
            "id: a\nregion: r\nroot: root.json\nstate: state\nfrom: [ \"http://127.0.0.1:1\" ]\napps: { web: {} }\n";
        std::fs::write(&file, text).expect("a file");
        let config = Config::load(&file).expect("a configuration");
        assert_eq!((config.wait.0, config.poll.0, config.keep), (WAIT, POLL, KEEP));
    }

    #[test]
    fn numbers_are_in_names() {
        assert_eq!(number_of(&"agent-000042".parse().expect("a name")), Some(42));
        assert_eq!(number_of(&"web-1".parse().expect("a name")), None);
    }
}
