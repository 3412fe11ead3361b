//! Everything that the demo starts: keys, repository, publisher, gateway; in one temporary folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use follower::BaseUrl;
use publisher::Publisher;
use publisher::committer::Committer;
use publisher::control::{Orders, orders};
use publisher::daemon::{self, Event};
use publisher::publish::Moved;
use schema::control::{self, What};
use schema::status::{PublisherStatus, RolloutStatus};
use schema::{App, CommitId, Pointer, Region, StorePath, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::repository::{self, BRANCH, ConfigRepository, Pushed};
use crate::exit::{Code, Failure};
use crate::home::{Home, Plan, write_secret};
use crate::up::{Beside, gateway_beside};

/// The running system, agents not included.
pub(super) struct World {
    folder: PathBuf,
    pub(super) home: Home,
    pub(super) repository: ConfigRepository,
    pub(super) gateway: BaseUrl,
    events: mpsc::UnboundedReceiver<Event>,
    status: watch::Receiver<PublisherStatus>,
    orders: Orders,
    tasks: JoinSet<Result<(), Failure>>,
    stop: CancellationToken,
}

/// The pointers that one commit moved.
#[derive(Clone, Debug)]
pub(super) struct Moves(Vec<Moved>);

impl Moves {
    /// The pointer of one app and region, if it moved.
    pub(super) fn of(&self, app: &App, region: &Region) -> Option<&Moved> {
        self.0.iter().find(|moved| (&moved.app, &moved.region) == (app, region))
    }

    /// When the last of them moved.
    pub(super) fn last_at(&self) -> Option<Timestamp> {
        self.0.iter().map(|moved| moved.at).max()
    }
}

impl World {
    /// Makes keys and the config repository in `folder`, with another `driftless.yaml` if one is given, and starts what `driftless up` starts.
    pub(super) async fn start(folder: &Path, rules: Option<&str>) -> Result<World, Failure> {
        let committer = Committer::generate("Robin Example", "robin@example.com").map_err(Failure::unexpected)?;
        let public = committer.public_line().map_err(Failure::unexpected)?;
        let private = committer.private_openssh_text().map_err(Failure::unexpected)?;
        let home = Home::at(folder.join("home"));
        let repository = folder.join("config.git");
        let region: Region = "eu-west".parse().expect("a valid name");
        let plan = Plan {
            repository: &repository.to_string_lossy(),
            branch: BRANCH,
            adopt: None,
            store: "store",
            listen: "127.0.0.1:0",
            signers: &[format!("robin@example.com namespaces=\"git\" {public}")],
            region: &region,
            apps: &["edge-proxy".to_owned(), "feature-flags".to_owned(), "rate-limits".to_owned()],
        };
        home.create(&plan, Timestamp::from(SystemTime::now())).map_err(Failure::unexpected)?;
        write_secret(&home.key("signer"), &private).map_err(Failure::unexpected)?;
        repository::install_hooks(&folder.join("hooks")).map_err(Failure::unexpected)?;
        let repository = ConfigRepository::begin(&repository, committer, rules)?;
        World::run(folder, home, repository).await
    }

    async fn run(folder: &Path, home: Home, repository: ConfigRepository) -> Result<World, Failure> {
        let config = publisher::Config::load(&home.publisher_yaml()).map_err(Failure::usage)?;
        let (status_tx, status) = watch::channel(PublisherStatus::default());
        let (orders, receiver) = orders();
        let (events_tx, events) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let publisher = Publisher::open(&config).map_err(Failure::of_publisher)?;
        // It keeps no bundle, and so looks into none: agents get the bytes as they lie in the store, and judge for themselves.
        let limits = gateway::Limits { blob_cache_bytes: 0, ..gateway::Limits::default() };
        let Beside { gateway, fleet } = gateway_beside(&config, limits, status.clone(), orders.clone())?;
        let url = format!("http://{}", gateway.local_addr());
        let mut tasks = JoinSet::new();
        let stopping = stop.clone();
        tasks.spawn(async move { gateway.run(stopping).await.map_err(Failure::unexpected) });
        let stopping = stop.clone();
        tasks.spawn(async move {
            let ended = daemon::run(config, publisher, fleet, receiver, status_tx, Some(events_tx), stopping).await;
            ended.map_err(Failure::of_publisher)
        });
        let gateway = url.parse().expect("a bound address makes a base URL");
        Ok(World { folder: folder.to_owned(), home, repository, gateway, events, status, orders, tasks, stop })
    }

    pub(super) fn hooks(&self) -> PathBuf {
        self.folder.join("hooks")
    }

    pub(super) fn states(&self) -> PathBuf {
        self.folder.join("agents")
    }

    pub(super) fn config_git(&self) -> PathBuf {
        self.folder.join("config.git")
    }

    /// The file behind a path of the store.
    pub(super) fn stored(&self, path: &StorePath) -> PathBuf {
        self.home.dir().join("store").join(path.to_string())
    }

    /// The files of the store that the bundles of `moves` can be had from: each as a whole, and as patches.
    pub(super) fn frames(&self, moves: &Moves) -> io::Result<BTreeSet<PathBuf>> {
        let mut frames = BTreeSet::new();
        for Moved { app, digest, .. } in &moves.0 {
            let whole = self.stored(&StorePath::Bundle { app: app.clone(), digest: *digest });
            for entry in fs::read_dir(whole.parent().expect("an object lies in a folder"))? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if name.starts_with(&digest.to_string()) && name.ends_with(".zst") {
                    frames.insert(whole.with_file_name(name));
                }
            }
        }
        Ok(frames)
    }

    /// The newest pointer of an app and region, as it stands in the store; its signature is for others to check.
    pub(super) fn pointer(&self, app: &App, region: &Region) -> Option<Pointer> {
        let path = StorePath::Pointer { app: app.clone(), region: region.clone() };
        let sealed = fs::read_to_string(self.stored(&path)).ok()?;
        serde_json::from_str(sealed.lines().next()?).ok()
    }

    /// What the publisher says of the rollout of `commit`.
    pub(super) fn rollout(&self, app: &App, commit: &CommitId) -> Option<RolloutStatus> {
        let status = self.status.borrow();
        status.rollouts.iter().find(|rollout| (&rollout.app, &rollout.commit) == (app, commit)).cloned()
    }

    /// Whether the publisher is done with `commit`: it is published, or nothing of it is left to publish.
    pub(super) fn stands_at(&self, commit: &CommitId) -> bool {
        self.status.borrow().published.as_ref() == Some(commit)
    }

    /// Does what an operator named `robin` asks for.
    pub(super) async fn command(&self, what: What, why: &str) -> Result<(), Failure> {
        let command = control::Command { what, why: why.into() };
        self.orders.give("robin", command).await.map_err(Failure::unexpected)?;
        Ok(())
    }

    /// Waits until `commit` (or, with nothing named, any first commit) is published.
    pub(super) async fn published(&mut self, commit: Option<&CommitId>) -> Result<Moves, Failure> {
        loop {
            match self.event().await? {
                Event::Published { commit: found, moved } if commit.is_none_or(|wanted| wanted == &found) => {
                    return Ok(Moves(moved));
                }
                Event::Refused { problem, .. } => {
                    return Err(Failure::new(Code::Refused, problem.causes.join(": ")));
                }
                _ => {}
            }
        }
    }

    /// Waits until `pushed` is refused; false if it was published instead.
    pub(super) async fn refused(&mut self, pushed: &Pushed) -> Result<(bool, Vec<String>), Failure> {
        loop {
            match self.event().await? {
                Event::Published { commit, .. } if commit == pushed.commit => return Ok((false, Vec::new())),
                Event::Refused { problem, .. } => return Ok((true, problem.causes)),
                _ => {}
            }
        }
    }

    async fn event(&mut self) -> Result<Event, Failure> {
        let late = || Failure::unexpected("the publisher did nothing for a minute").hint("run again with --log info");
        let event = tokio::time::timeout(Duration::from_secs(60), self.events.recv()).await;
        event.map_err(|_| late())?.ok_or_else(|| Failure::unexpected("the publisher ended"))
    }

    /// Stops gateway and publisher.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.map_err(Failure::unexpected)??;
        }
        Ok(())
    }
}
