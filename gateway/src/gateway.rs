//! Puts the parts together, and runs them.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use follower::{Mirrors, MirrorsError, Settings};
use schema::ack::Boot;
use schema::status::PublisherStatus;
use store::{OpenError, Store};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::accept;
use crate::acks::{Answers, Quotas, Seals};
use crate::agents::Agents;
use crate::clock;
use crate::config::{Config, Entrance, EntranceError, SourceUrl};
use crate::control::{Beside, Control};
use crate::entrance::{Door, Keys, RegistryError, RegistryFiles};
use crate::follow::{self, Asks};
use crate::health::Subject;
use crate::http::Service;
use crate::lot::{Back, Lot, Patience, Shard};
use crate::metrics::Metrics;
use crate::objects::Objects;
use crate::packer;
use crate::pair::Pair;
use crate::relay::{self, Taken};
use crate::reload::{self, Looked, Reloaded};
use crate::report;
use crate::source::Source;
use crate::stall::PATIENCE;
use crate::tls::{Certificates, TlsError};
use crate::trust::{PinError, Trust};
use crate::view::View;

/// A gateway that listens, and serves once it is run.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
    asks: Asks,
    config: Config,
    certificates: Option<Arc<Reloaded<Certificates>>>,
    lot: (Lot, Vec<Shard>, Back),
}

/// Says why a gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// There is no trust root to verify by.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The parts of the entrance do not fit together.
    #[error("nobody, or anybody, could come in")]
    Entrance(#[from] EntranceError),
    /// The certificates cannot be used.
    #[error("TLS cannot be spoken")]
    Tls(#[from] TlsError),
    /// Who may come in cannot be read.
    #[error("who may come in is not known")]
    Registry(#[from] RegistryError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The upstream cannot be used.
    #[error("the upstream cannot be used")]
    Upstream(#[from] MirrorsError),
    /// There is no place for connections to wait.
    #[error("could not make a place for connections to wait in")]
    Lot(#[source] io::Error),
    /// The address cannot be listened on.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Says why a gateway stopped on its own.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// One of its parts panicked, which is a defect of this program.
    #[error("a part of the gateway failed")]
    Panicked(#[from] tokio::task::JoinError),
}

impl Gateway {
    /// Reads the trust root, opens the source and listens. Nothing is asked of the source, and nobody answered, before
    /// [`Gateway::run`]. Must be called inside a tokio runtime.
    ///
    /// `publisher` is what a publisher in the same process says of itself: it is shown in the status, and each change of it
    /// makes the gateway look at its store at once.
    ///
    /// # Errors
    /// [`BindError`], for which the configuration or the host must change.
    pub fn bind(config: Config, publisher: Option<watch::Receiver<PublisherStatus>>) -> Result<Gateway, BindError> {
        config.entrance.check()?;
        let trust = Trust::pin(&config.root)?;
        let Entrance { tls, admit, agents } = config.entrance.clone();
        let certificates = tls.map(|tls| Reloaded::read(Certificates(tls))).transpose()?.map(Arc::new);
        let registry = agents.map(|agents| Reloaded::read(RegistryFiles(agents))).transpose()?.map(Arc::new);
        let (demand, asks) = follow::demand();
        let (source, demand) = match &config.source {
            SourceUrl::Store(url) => (Source::Store(Store::open(url)?), None),
            SourceUrl::Upstream { bases, credentials } => {
                let settings = Settings { credentials: credentials.clone(), ..Settings::default() };
                (Source::Upstream(Mirrors::new(bases.clone(), settings)?), Some(demand))
            }
        };
        let seals = if demand.is_some() { Seals::Kept } else { Seals::Dropped };
        let listen_error = |source| BindError::Listen { address: config.listen, source };
        let listener = accept::listen(config.listen).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let view = Arc::new(View::new(source, trust));
        let service = Service {
            name: config.name.clone(),
            limits: config.limits.clone(),
            started: clock::now(),
            begun: Instant::now(),
            objects: Objects::new(Arc::clone(&view), config.limits.blob_cache_bytes, config.limits.streams),
            boot: Boot::new(fastrand::u128(..)),
            answers: Arc::new(Answers::new(config.limits.ack_agents_max, seals)),
            door: Door { admit, registry },
            keys: Keys::new(config.limits.ack_agents_max),
            quotas: Quotas::new(config.limits.ack_agents_max, config.limits.connections_per_address),
            verifying: Semaphore::new(available_parallelism().map_or(1, NonZero::get)),
            view,
            demand,
            publisher,
            control: None,
            metrics: Metrics::new(),
            closing: CancellationToken::new(),
        };
        let lot = Lot::open().map_err(BindError::Lot)?;
        Ok(Gateway { listener, address, service: Arc::new(service), asks, config, certificates, lot })
    }

    /// Where it listens: the configured address, with the port that the system chose if that was 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The base URL at that address: what a client on this host asks.
    pub fn url(&self) -> String {
        let scheme = if self.config.entrance.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Lets `control` answer `/v1/control/…`. Without this there is nothing at those paths.
    #[must_use]
    pub fn hosting(mut self, control: Arc<dyn Control>) -> Gateway {
        let service = Arc::get_mut(&mut self.service).expect("nobody shares the service before it runs");
        service.control = Some(Beside(control));
        self
    }

    /// What its agents say, for whoever decides by it.
    pub fn agents(&self) -> Agents {
        Agents::new(&self.service.answers, self.service.started)
    }

    /// Serves until `shutdown`. Then long-polls are answered at once, other requests have five seconds to end, and who is
    /// left is cut.
    ///
    /// # Errors
    /// [`GatewayError`] where a part of it panicked; the others are stopped as on a shutdown.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), GatewayError> {
        let Gateway { listener, address, service, asks, config, certificates, lot } = self;
        if service.door.admit.by_token() && certificates.is_none() && !address.ip().is_loopback() {
            warn!("Tokens come to {address} in the clear: give it `tls`, or put something in front that has it");
        }
        info!(%address, source = %service.view.source.name(), "Gateway `{}` listens on {address}", config.name);
        let closing = service.closing.clone();
        let mut tasks = JoinSet::new();
        let view = || Arc::clone(&service.view);
        tasks.spawn(follow::follow_roots(view(), closing.clone()));
        tasks.spawn(forget_silent_agents(Arc::clone(&service)));
        match &service.view.source {
            Source::Store(store) => {
                let publisher = service.publisher.clone();
                let poll = config.poll.0;
                tasks.spawn(follow::follow_store(store.clone(), view(), poll, publisher, closing.clone()));
            }
            Source::Upstream(mirrors) => {
                let pairs =
                    config.follow.into_iter().map(|followed| Pair { app: followed.app, region: followed.region });
                let (mirrors, poll) = (mirrors.clone(), config.poll.0);
                let following =
                    follow::follow_upstream(mirrors.clone(), view(), poll, pairs.collect(), asks, closing.clone());
                tasks.spawn(following);
                let answers = || Arc::clone(&service.answers);
                let taken = Arc::new(Taken::yes_until_told());
                let relaying = relay::run(mirrors.clone(), view(), answers(), Arc::clone(&taken), closing.clone());
                tasks.spawn(relaying);
                tasks.spawn(report::run(config.name, mirrors, view(), answers(), taken, closing.clone()));
            }
        }
        if let Some(certificates) = &certificates {
            let tell = teller(&service, "tls", Subject::Certificates);
            tasks.spawn(reload::follow(Arc::clone(certificates), tell, closing.clone()));
        }
        if let Some(registry) = &service.door.registry {
            let tell = teller(&service, "agents", Subject::Registry);
            tasks.spawn(reload::follow(Arc::clone(registry), tell, closing.clone()));
        }
        tasks.spawn(packer::run(Arc::clone(&service), closing.clone()));
        let (lot, shards, back) = lot;
        for shard in shards {
            let service = Arc::clone(&service);
            let idle = service.limits.idle_deadline.0.max(service.limits.header_deadline.0);
            tasks.spawn_blocking(move || shard.run(&service.metrics, Patience { idle, stalled: PATIENCE }));
        }
        // Whoever accepts has the lot, so that its shards end when nobody can come any more.
        tasks.spawn(accept::run(listener, Arc::clone(&service), certificates, lot, back));

        let mut outcome = Ok(());
        loop {
            tokio::select! {
                () = shutdown.cancelled(), if !closing.is_cancelled() => closing.cancel(),
                ended = tasks.join_next() => match ended {
                    // A part ended, so the others finish what they are at and stop.
                    Some(ended) => {
                        closing.cancel();
                        outcome = outcome.and(ended);
                    }
                    None => break,
                },
            }
        }
        outcome.map_err(GatewayError::from)
    }
}

/// Tells what became of files that changed: in the log, in the status and in metrics.
fn teller<E: Error>(service: &Arc<Service>, what: &'static str, subject: Subject) -> impl Fn(Looked<E>) + use<E> {
    let service = Arc::clone(service);
    move |looked| match looked {
        Looked::StillRefused => {}
        Looked::Unchanged => service.view.health.fine(&subject),
        Looked::Replaced => {
            info!(what, "The files of `{what}` changed; what they say counts from now on");
            service.metrics.reloaded(what, "replaced");
            service.view.health.fine(&subject);
        }
        Looked::Refused(error) => {
            service.metrics.reloaded(what, "refused");
            service.view.health.trouble(subject.clone(), &error);
        }
    }
}

/// Forgets, now and then, agents that were not heard for long and are behind.
async fn forget_silent_agents(service: Arc<Service>) {
    let again_and_again = async {
        loop {
            sleep(FORGET_EVERY).await;
            let longest = service.limits.agent_forgotten_after.0;
            let now = clock::now();
            let ago = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
            let since = schema::Timestamp::from_unix_millis(now.unix_millis().saturating_sub(ago));
            service.keys.forget_silent(since);
            for (pair, slot) in service.view.board.slots() {
                let order = slot.posted().pointer().order();
                service.answers.here.forget_silent(&pair, since, (order.epoch, order.generation));
            }
        }
    };
    service.closing.run_until_cancelled(again_and_again).await;
}

const FORGET_EVERY: Duration = Duration::from_secs(600);
