//! The whole agent: one task for each app, one for acks.

use std::path::PathBuf;
use std::sync::Arc;

use follower::{Mirrors, MirrorsError, Rhythm, Settings};
use schema::{Ack, Limits};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info, info_span};

use crate::apply::{About, Site, Told};
use crate::blocking::blocking;
use crate::config::Config;
use crate::keeper::Keeper;
use crate::outbox;
use crate::state::{LockError, StateFolder};
use crate::trust::{Trust, TrustError};

/// Runs the agent until `shutdown` is cancelled, and then until each app has finished the step it is in.
///
/// `observer` gets every ack once its result is durable. Nothing outside the host makes this end: what cannot be reached is
/// tried again, and an app that cannot go on holds, with what runs running.
///
/// # Errors
/// [`AgentError`], before anything was changed; or after a panic, which is a bug.
pub async fn run(
    config: Config,
    observer: Option<mpsc::UnboundedSender<Ack>>,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    let (state, trust) = open(&config).await?;
    let mirrors = Mirrors::new(config.from.clone(), Settings::default())?;
    let trust = Arc::new(trust);
    let (outbox, deliveries) = mpsc::unbounded_channel();
    let usual = Rhythm::default();
    let backoff_min = config.poll.0.min(usual.backoff_min);
    let rhythm = Rhythm { wait: config.wait.0, poll: config.poll.0, backoff_min, ..usual };
    info!(agent = %config.id, region = %config.region, root = trust.newest().version, "The agent runs");

    let mut tasks = JoinSet::new();
    for (app, hooks) in config.apps {
        let (answered, answers) = mpsc::unbounded_channel();
        let follower =
            mirrors.pointer_follower(app.clone(), config.region.clone(), Limits::DEFAULT.pointer_max_bytes, rhythm);
        let site = Site {
            folder: state.app(&app),
            about: About { agent: config.id.clone(), app: app.clone(), region: config.region.clone() },
            hooks,
            keep: config.keep,
            mirrors: mirrors.clone(),
            trust: Arc::clone(&trust),
            told: Told { outbox: outbox.clone(), answered, observer: observer.clone() },
            shutdown: shutdown.clone(),
        };
        tasks.spawn(Keeper::new(site, follower, answers, config.poll.0).run().instrument(info_span!("app", %app)));
    }
    drop((outbox, observer));
    tasks.spawn(outbox::run(mirrors, config.poll.0, deliveries, shutdown.clone()).instrument(info_span!("acks")));

    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        // Tasks end when they are told to, or by a bug; the others finish their step and stop.
        shutdown.cancel();
        outcome = outcome.and(ended.map_err(AgentError::Task));
    }
    // Only now may another agent have the folder.
    drop(state);
    info!("The agent stopped");
    outcome
}

/// Takes the state folder, and reads the trust root.
async fn open(config: &Config) -> Result<(StateFolder, Trust), AgentError> {
    let (path, root): (PathBuf, PathBuf) = (config.state.clone(), config.root.clone());
    blocking(move || {
        let state = StateFolder::lock(&path)?;
        let trust = Trust::open(&root, state.path())?;
        Ok((state, trust))
    })
    .await
}

/// Says why an agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The state folder cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// There is no trust root to start with.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The base URLs cannot be used.
    #[error(transparent)]
    Mirrors(#[from] MirrorsError),
    /// A task panicked.
    #[error("a task of the agent ended unexpectedly; this is a bug")]
    Task(#[source] JoinError),
}
