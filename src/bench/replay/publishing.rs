//! A publisher in this process, and one signed commit after another for it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use git2::{Oid, Repository};
use publisher::Publisher;
use publisher::control;
use publisher::daemon::{self, Event};
use publisher::rollout::NoFleet;
use schema::status::PublisherStatus;
use schema::{CommitId, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::bench::origin::{BRANCH, Origin};
use crate::exit::{Code, Failure};

/// A config repository, its publisher, and what was published.
pub(super) struct Publishing {
    repository: Repository,
    tip: Option<(CommitId, Oid)>,
    /// From the first commit on: there is nothing to look at before.
    running: Option<Running>,
}

struct Running {
    events: mpsc::UnboundedReceiver<Event>,
    tasks: JoinSet<Result<(), Failure>>,
    stop: CancellationToken,
}

impl Publishing {
    pub(super) fn of(origin: &Origin) -> Result<Publishing, Failure> {
        let repository = Repository::open(origin.repository()).map_err(Failure::unexpected)?;
        Ok(Publishing { repository, tip: None, running: None })
    }

    /// The config repository.
    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Commits `files` as the app, signed, and waits for its pointer. None where the app has these files already.
    pub(super) async fn publish(&mut self, origin: &Origin, files: Oid, of: &str) -> Result<Option<Duration>, Failure> {
        if self.tip.as_ref().is_some_and(|(_, before)| *before == files) {
            return Ok(None);
        }
        let tree = self.tree(origin, files).map_err(Failure::unexpected)?;
        let tree = tree.to_string().parse().expect("git writes tree ids in lower-case hex");
        let parents: Vec<CommitId> = self.tip.iter().map(|(commit, _)| commit.clone()).collect();
        // What was committed elsewhere was reviewed there, whatever grows or shrinks by it.
        let message = format!("Replay {of}\n\nDriftless-Allow: empty, shrink, growth, flap\n");
        let now = Timestamp::from(SystemTime::now());
        let commit = origin.committer().commit(&self.repository, BRANCH, &parents, &tree, &message, now);
        let commit = commit.map_err(Failure::unexpected)?;
        let begun = Instant::now();
        let running = match self.running.take() {
            Some(running) => running,
            None => Running::start(origin)?,
        };
        self.running.insert(running).published(&commit, of).await?;
        self.tip = Some((commit, files));
        Ok(Some(begun.elapsed()))
    }

    /// The tree of a config repository with `files` as its one app.
    fn tree(&self, origin: &Origin, files: Oid) -> Result<Oid, git2::Error> {
        let folder = |name: &str, tree: Oid| {
            let mut builder = self.repository.treebuilder(None)?;
            builder.insert(name, tree, 0o040_000)?;
            builder.write()
        };
        let mut root = self.repository.treebuilder(None)?;
        root.insert("driftless.yaml", self.repository.blob(origin.rules().as_bytes())?, 0o100_644)?;
        root.insert("apps", folder(origin.apps[0].as_str(), files)?, 0o040_000)?;
        root.write()
    }

    pub(super) async fn stop(self) -> Result<(), Failure> {
        let Some(mut running) = self.running else { return Ok(()) };
        running.stop.cancel();
        while let Some(ended) = running.tasks.join_next().await {
            ended.map_err(Failure::unexpected)??;
        }
        Ok(())
    }
}

impl Running {
    fn start(origin: &Origin) -> Result<Running, Failure> {
        let config = publisher::Config::load(&origin.home().publisher_yaml()).map_err(Failure::usage)?;
        let publisher = Publisher::open(&config).map_err(Failure::of_publisher)?;
        let (status, _) = watch::channel(PublisherStatus::default());
        let (events_tx, events) = mpsc::unbounded_channel();
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let stopping = stop.clone();
        tasks.spawn(async move {
            // Nobody commands it; the other end has to live for as long as it does.
            let (_orders, commands) = control::orders();
            let fleet = Arc::new(NoFleet);
            let ended = daemon::run(config, publisher, fleet, commands, status, Some(events_tx), stopping).await;
            ended.map_err(Failure::of_publisher)
        });
        Ok(Running { events, tasks, stop })
    }

    async fn published(&mut self, commit: &CommitId, of: &str) -> Result<(), Failure> {
        loop {
            let event = timeout(PATIENCE, self.events.recv()).await;
            let late = || Failure::new(Code::TimedOut, format!("{of} was not published in {} s", PATIENCE.as_secs()));
            match event.map_err(|_| late())?.ok_or_else(|| Failure::unexpected("the publisher ended"))? {
                Event::Published { commit: published, .. } if &published == commit => return Ok(()),
                Event::Refused { problem } => {
                    return Err(Failure::new(Code::Refused, format!("{of}: {}", problem.causes.join(": "))));
                }
                _ => {}
            }
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(300);
