//! The whole agent: one task for each app, one each for acks, trust roots and metrics.

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
use crate::identity::{Identity, IdentityError};
use crate::keeper::Keeper;
use crate::metrics::{self, Metrics};
use crate::outbox;
use crate::state::{LockError, StateFolder};
use crate::trust::{self, Trust, TrustError};

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
    let Opened { state, metrics, trust, identity, mirrors } = open(&config).await?;
    let written_to = config.metrics.unwrap_or_else(|| state.metrics());
    let (outbox, deliveries) = mpsc::unbounded_channel();
    let usual = Rhythm::default();
    let backoff_min = config.poll.0.min(usual.backoff_min);
    let rhythm = Rhythm { wait: config.wait.0, poll: config.poll.0, backoff_min, ..usual };
    info!(agent = %config.id, region = %config.region, root = trust.newest().version, public_key = %identity.key.public(), "The agent runs");

    let labels = Arc::new(config.labels);
    let mut tasks = JoinSet::new();
    for (app, hooks) in config.apps {
        let (answered, answers) = mpsc::unbounded_channel();
        let follower =
            mirrors.pointer_follower(app.clone(), config.region.clone(), Limits::DEFAULT.pointer_max_bytes, rhythm);
        let site = Site {
            folder: state.app(&app),
            about: About {
                agent: config.id.clone(),
                labels: Arc::clone(&labels),
                app: app.clone(),
                region: config.region.clone(),
            },
            hooks,
            keep: config.keep,
            mirrors: mirrors.clone(),
            trust: Arc::clone(&trust),
            metrics: Arc::clone(&metrics),
            told: Told { outbox: outbox.clone(), answered, observer: observer.clone() },
            shutdown: shutdown.clone(),
        };
        let keeper = Keeper::new(site, follower, answers, config.poll.0, config.scrub_every.0);
        tasks.spawn(keeper.run().instrument(info_span!("app", %app)));
    }
    drop((outbox, observer));
    tasks.spawn(metrics::keep_written(metrics, written_to, shutdown.clone()));
    let walking = trust::keep_walking(trust, mirrors.clone(), config.poll.0, shutdown.clone());
    tasks.spawn(walking.instrument(info_span!("trust")));
    let acks = outbox::run(
        mirrors,
        identity,
        outbox::Pace { retry: config.poll.0, heartbeat: config.heartbeat.0 },
        deliveries,
        shutdown.clone(),
    );
    tasks.spawn(acks.instrument(info_span!("acks")));

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

/// What an agent has in hand before it does anything.
struct Opened {
    state: StateFolder,
    metrics: Arc<Metrics>,
    trust: Arc<Trust>,
    identity: Arc<Identity>,
    mirrors: Mirrors,
}

/// Takes the state folder, and reads the trust root, the identity and the credentials.
async fn open(config: &Config) -> Result<Opened, AgentError> {
    let config = config.clone();
    blocking(move || {
        let state = StateFolder::lock(&config.state)?;
        let metrics = Arc::new(Metrics::default());
        let trust = Arc::new(Trust::open(&config.root, state.path(), Arc::clone(&metrics))?);
        let identity = Arc::new(Identity::open(&state)?);
        let settings = Settings { credentials: config.credentials, ..Settings::default() };
        let mirrors = Mirrors::new(config.from, settings)?;
        Ok(Opened { state, metrics, trust, identity, mirrors })
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
    /// There is no key to sign acks with.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The base URLs, or the credentials for them, cannot be used.
    #[error(transparent)]
    Mirrors(#[from] MirrorsError),
    /// A task panicked.
    #[error("a task of the agent ended unexpectedly; this is a bug")]
    Task(#[source] JoinError),
}
