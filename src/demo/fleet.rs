//! Many agents in one process: the real library, a state folder and a task each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use edge_agent::{AgentError, AppConfig, Argv, Config, Hook};
use follower::{BaseUrl, Credentials};
use indicatif::ProgressBar;
use schema::time::Length;
use schema::{Ack, AgentId, App, Outcome, Region};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::world::Moves;
use crate::exit::{Code, Failure};

/// The agents, running or not, and all that they answer.
pub(super) struct Fleet {
    configs: Vec<Config>,
    answers: UnboundedReceiver<Ack>,
    observer: UnboundedSender<Ack>,
    running: Option<Running>,
}

struct Running {
    agents: JoinSet<Result<(), AgentError>>,
    stop: CancellationToken,
}

/// What the agents of the demo are told.
pub(super) struct Orders<'a> {
    pub(super) root: &'a Path,
    pub(super) states: &'a Path,
    pub(super) gateway: &'a BaseUrl,
    /// How often agents repeat their last word.
    pub(super) heartbeat: Duration,
    /// Apps and hooks of an agent, by its number.
    pub(super) apps: &'a dyn Fn(usize) -> BTreeMap<App, AppConfig>,
}

impl Fleet {
    /// `count` agents named `web-0001` and so on, spread over `regions` in turn; none runs yet.
    pub(super) fn new(count: usize, regions: &[Region], orders: &Orders<'_>) -> Fleet {
        let (observer, answers) = mpsc::unbounded_channel();
        let config = |number: usize| {
            let id: AgentId = format!("web-{number:04}").parse().expect("a valid name");
            Config {
                region: regions[number % regions.len()].clone(),
                labels: BTreeMap::new(),
                root: orders.root.to_owned(),
                state: orders.states.join(id.as_str()),
                from: vec![orders.gateway.clone()],
                credentials: Credentials::default(),
                wait: Length(Duration::from_secs(55)),
                poll: Length(Duration::from_secs(5)),
                heartbeat: Length(orders.heartbeat),
                keep: 3,
                scrub_every: Length(Duration::from_secs(24 * 60 * 60)),
                metrics: None,
                apps: (orders.apps)(number),
                id,
            }
        };
        Fleet { configs: (1..=count).map(config).collect(), answers, observer, running: None }
    }

    pub(super) fn len(&self) -> usize {
        self.configs.len()
    }

    /// Every agent: who it is, where it is, and where it keeps its state.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (&AgentId, &Region, &Path)> {
        self.configs.iter().map(|config| (&config.id, &config.region, config.state.as_path()))
    }

    /// What was answered since the last call.
    pub(super) fn heard(&mut self) -> Vec<Ack> {
        std::iter::from_fn(|| self.answers.try_recv().ok()).collect()
    }

    /// Where agent number one keeps its state: something to look at.
    pub(super) fn first_state(&self) -> PathBuf {
        self.configs[0].state.clone()
    }

    /// Starts every agent.
    pub(super) fn start(&mut self) {
        let mut agents = JoinSet::new();
        let stop = CancellationToken::new();
        for config in &self.configs {
            agents.spawn(edge_agent::run(config.clone(), Some(self.observer.clone()), stop.clone()));
        }
        self.running = Some(Running { agents, stop });
    }

    /// Stops every agent, each after the step it is in.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        let Some(Running { mut agents, stop }) = self.running.take() else { return Ok(()) };
        stop.cancel();
        while let Some(ended) = agents.join_next().await {
            ended.map_err(Failure::unexpected)?.map_err(Failure::unexpected)?;
        }
        Ok(())
    }

    /// Waits until every agent has given its first answer to these generations of `app` that `wanted` holds for.
    pub(super) async fn answers(
        &mut self,
        app: &App,
        moves: &Moves,
        wanted: Outcome,
        bar: &ProgressBar,
    ) -> Result<Vec<Ack>, Failure> {
        let mut first: BTreeMap<AgentId, Ack> = BTreeMap::new();
        let patience = tokio::time::sleep(PATIENCE);
        tokio::pin!(patience);
        while first.len() < self.configs.len() {
            let ack = tokio::select! {
                ack = self.answers.recv() => ack.expect("the fleet itself holds a sender"),
                () = &mut patience => return Err(self.silent(&first, app, wanted)),
            };
            let meant = moves.of(app, &ack.region).is_some_and(|moved| moved.order.generation == ack.generation);
            if &ack.app == app && meant && ack.outcome == wanted {
                first.entry(ack.agent.clone()).or_insert(ack);
                bar.set_position(first.len() as u64);
            }
        }
        Ok(first.into_values().collect())
    }

    fn silent(&self, answered: &BTreeMap<AgentId, Ack>, app: &App, wanted: Outcome) -> Failure {
        let all: BTreeSet<&AgentId> = self.configs.iter().map(|config| &config.id).collect();
        let silent: Vec<&str> = all.into_iter().filter(|id| !answered.contains_key(*id)).map(AgentId::as_str).collect();
        let some = silent.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        let wrong = format!("{} agents did not answer `{wanted}` for {app} within a minute: {some} …", silent.len());
        Failure::new(Code::Unexpected, wrong).hint("run again with --log info to see why")
    }
}

/// The hooks of `examples-repo/hosts/agent.yaml`, as far as they make sense for fifty agents on one machine: everything is
/// checked, nothing is reloaded.
pub(super) fn example_apps(hooks: &Path) -> BTreeMap<App, AppConfig> {
    let check = |program: &str, files: &[&str]| {
        let mut run = vec![hooks.join(program).display().to_string()];
        run.extend(files.iter().map(|file| (*file).to_owned()));
        let run = Argv::try_from(run).expect("a program and its arguments");
        AppConfig { check: Some(Hook { run, timeout: Length(Duration::from_secs(30)) }), ..AppConfig::default() }
    };
    let app = |name: &str| name.parse::<App>().expect("a valid name");
    [
        (app("edge-proxy"), check("check-edge-proxy", &[])),
        (app("feature-flags"), check("check-pairs", &["flags.yaml", "privacy.yaml"])),
        (app("rate-limits"), check("check-pairs", &["limits.yaml"])),
    ]
    .into()
}

const PATIENCE: Duration = Duration::from_secs(60);
