//! Puts the parts together, and runs them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use follower::{Mirrors, MirrorsError, Settings};
use schema::status::PublisherStatus;
use store::{OpenError, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::accept;
use crate::acks::Answers;
use crate::clock;
use crate::config::{Config, SourceUrl};
use crate::follow::{self, Asks};
use crate::http::Service;
use crate::metrics::Metrics;
use crate::objects::Objects;
use crate::pair::Pair;
use crate::report;
use crate::source::Source;
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
}

/// Says why a gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// There is no trust root to verify by.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The upstream cannot be used.
    #[error("the upstream cannot be used")]
    Upstream(#[from] MirrorsError),
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
        let trust = Trust::pin(&config.root)?;
        let (demand, asks) = follow::demand();
        let (source, demand) = match &config.source {
            SourceUrl::Store(url) => (Source::Store(Store::open(url)?), None),
            SourceUrl::Upstream(bases) => {
                (Source::Upstream(Mirrors::new(bases.clone(), Settings::default())?), Some(demand))
            }
        };
        let listen_error = |source| BindError::Listen { address: config.listen, source };
        let listener = accept::listen(config.listen).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let view = Arc::new(View::new(source, trust));
        let service = Service {
            name: config.name.clone(),
            limits: config.limits.clone(),
            started: clock::now(),
            begun: Instant::now(),
            objects: Objects::new(Arc::clone(&view), config.limits.blob_cache_bytes),
            answers: Arc::new(Answers::new(config.limits.ack_agents_max)),
            view,
            demand,
            publisher,
            metrics: Metrics::new(),
            closing: CancellationToken::new(),
        };
        Ok(Gateway { listener, address, service: Arc::new(service), asks, config })
    }

    /// Where it listens: the configured address, with the port that the system chose if that was 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`. Then long-polls are answered at once, other requests have five seconds to end, and who is
    /// left is cut.
    ///
    /// # Errors
    /// [`GatewayError`] where a part of it panicked; the others are stopped as on a shutdown.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), GatewayError> {
        let Gateway { listener, address, service, asks, config } = self;
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
                let answers = Arc::clone(&service.answers);
                tasks.spawn(report::run(config.name, mirrors, view(), answers, closing.clone()));
            }
        }
        tasks.spawn(accept::run(listener, Arc::clone(&service)));

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

/// Forgets, now and then, agents that were not heard for long and are behind.
async fn forget_silent_agents(service: Arc<Service>) {
    let again_and_again = async {
        loop {
            sleep(FORGET_EVERY).await;
            let longest = service.limits.agent_forgotten_after.0;
            let now = clock::now();
            let ago = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
            let since = schema::Timestamp::from_unix_millis(now.unix_millis().saturating_sub(ago));
            for (pair, slot) in service.view.board.slots() {
                let order = slot.posted().pointer().order();
                service.answers.here.forget_silent(&pair, since, (order.epoch, order.generation));
            }
        }
    };
    service.closing.run_until_cancelled(again_and_again).await;
}

const FORGET_EVERY: Duration = Duration::from_secs(600);
