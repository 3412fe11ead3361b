//! A gateway that runs for as long as a test needs it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use follower::{BaseUrl, Credentials};
use gateway::{Agents, Config, Control, Gateway, GatewayError, SourceUrl};
use schema::AgentReport;
use schema::status::{PublisherStatus, RegionStatus, Status};
use schema::time::Length;
use store::StoreUrl;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, PATIENCE, Reply};
use crate::publication::{Publication, name};

/// A gateway, and the task it runs in.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) agents: Agents,
    pub(crate) shutdown: CancellationToken,
    task: JoinSet<Result<(), GatewayError>>,
}

/// A configuration for the store of `publication` that looks often and listens anywhere.
pub(crate) fn of_store(publication: &Publication) -> Config {
    let store = SourceUrl::Store(StoreUrl::directory(publication.store_path()));
    quick(Config::new(store, publication.root_path()).expect("a host name"))
}

/// A configuration for a gateway behind another one.
pub(crate) fn behind(upstream: SocketAddr, publication: &Publication) -> Config {
    let base = format!("http://{upstream}/").parse().expect("a base URL");
    behind_url(base, Credentials::default(), publication)
}

/// A configuration for a gateway behind one that wants to see credentials.
pub(crate) fn behind_url(base: BaseUrl, credentials: Credentials, publication: &Publication) -> Config {
    let upstream = SourceUrl::Upstream { bases: vec![base], credentials };
    quick(Config::new(upstream, publication.root_path()).expect("a host name"))
}

fn quick(mut config: Config) -> Config {
    config.name = "gw".parse().expect("a name");
    config.listen = "127.0.0.1:0".parse().expect("an address");
    config.poll = Length(Duration::from_millis(50));
    config
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is_so().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never: {what}"));
}

impl Running {
    pub(crate) fn start(config: Config) -> Running {
        Running::beside(config, None)
    }

    pub(crate) fn beside(config: Config, publisher: Option<watch::Receiver<PublisherStatus>>) -> Running {
        Running::run(Gateway::bind(config, publisher).expect("a gateway"))
    }

    /// One with somebody beside it who answers `/v1/control/…`.
    pub(crate) fn hosting(config: Config, control: Arc<dyn Control>) -> Running {
        Running::run(Gateway::bind(config, None).expect("a gateway").hosting(control))
    }

    fn run(gateway: Gateway) -> Running {
        let (address, agents, shutdown) = (gateway.local_addr(), gateway.agents(), CancellationToken::new());
        let mut task = JoinSet::new();
        task.spawn(gateway.run(shutdown.clone()));
        Running { address, agents, shutdown, task }
    }

    /// What is known of the agents of `edge-proxy` in `eu-west`, by name.
    pub(crate) fn reports(&self) -> BTreeMap<String, AgentReport> {
        let reports = self.agents.reports(&name("edge-proxy"), &name("eu-west")).into_iter();
        reports.map(|report| (report.agent.to_string(), report)).collect()
    }

    /// Waits until what is known of the agents is as wanted.
    pub(crate) async fn until_reports(&self, what: &str, wanted: impl Fn(&BTreeMap<String, AgentReport>) -> bool) {
        let mut agents = self.agents.clone();
        let looking = async {
            while !wanted(&self.reports()) {
                agents.changed().await;
            }
        };
        timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never: {what}: {:?}", self.reports()));
    }

    /// Starts a gateway of the store of `publication`, and waits until it has looked.
    pub(crate) async fn of(publication: &Publication) -> Running {
        let running = Running::start(of_store(publication));
        running.until_ready().await;
        running
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Asks once, over a connection of its own.
    pub(crate) async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Reply {
        self.client().await.get(target, headers).await
    }

    pub(crate) async fn post(&self, target: &str, body: &[u8]) -> Reply {
        self.client().await.post(target, body).await
    }

    pub(crate) async fn status(&self) -> Status {
        serde_json::from_slice(&self.get("/v1/status", &[]).await.body).expect("a status")
    }

    /// Waits until the status is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let looking = async {
            loop {
                let status = self.status().await;
                if wanted(&status) {
                    return status;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never: {what}"))
    }

    pub(crate) async fn until_ready(&self) {
        until("ready", async || self.get("/readyz", &[]).await.status == 200).await;
    }

    pub(crate) async fn until_parked(&self, number: u64) {
        self.until(&format!("{number} parked"), |status| status.parked == number).await;
    }

    pub(crate) async fn until_generation(&self, app: &str, generation: u64) {
        let is_there = |region: &RegionStatus| {
            let found = region.pointer.as_ref().map(|pointer| pointer.generation.number());
            region.app.as_str() == app && found == Some(generation)
        };
        self.until(&format!("generation {generation} of {app}"), |status| status.regions.iter().any(is_there)).await;
    }

    /// Shuts it down and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        let ended = timeout(PATIENCE, self.task.join_next()).await.expect("an end in time");
        ended.expect("one task").expect("no panic").expect("a clean end");
    }
}
