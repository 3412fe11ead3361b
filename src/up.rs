//! `driftless up`: publisher and gateway in one process.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use gateway::{Entrance, Gateway, Limits, SourceUrl};
use publisher::control::{self, AccessFile, Api, Orders};
use publisher::rollout::{Fleet, NoFleet};
use publisher::{Config, Publisher};
use schema::status::PublisherStatus;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::control::Hosted;
use crate::exit::{Failure, Outcome};
use crate::fleet::Heard;
use crate::which::Which;
use crate::{out, shutdown};

/// Publish a branch and serve it to agents, in one process
///
/// Watches the repository, publishes every signed commit, and serves pointers, bundles and status on one address. Stop it with
/// Ctrl-C and start it again whenever you like: everything is in the store, and agents keep what they run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,

    /// Listen here instead of where the configuration says
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let mut config = args.which.load()?;
    config.listen = args.listen.or(config.listen).or(Some(LISTEN));
    serve(config).await
}

/// Runs a publisher, and a gateway beside it where the configuration names an address, until a signal or an error.
pub(crate) async fn serve(config: Config) -> Outcome {
    shutdown::on_signal(async |stop| {
        let publisher = Publisher::open(&config).map_err(Failure::of_publisher)?;
        let (status_tx, status) = watch::channel(PublisherStatus::default());
        let (orders, commands) = control::orders();
        let mut tasks: JoinSet<Outcome> = JoinSet::new();
        let mut fleet: Arc<dyn Fleet> = Arc::new(NoFleet);
        if config.listen.is_some() {
            let beside = gateway_beside(&config, Limits::default(), status, orders)?;
            out::talk(&format!("serving on {}", beside.gateway.url()));
            fleet = beside.fleet;
            let stop = stop.clone();
            tasks.spawn(async move { beside.gateway.run(stop).await.map_err(Failure::unexpected) });
        }
        out::talk(&format!("{} {} of {}", config.duty, config.source.branch, config.source.repository));
        let stopping = stop.clone();
        tasks.spawn(async move {
            let ended = publisher::daemon::run(config, publisher, fleet, commands, status_tx, None, stopping).await;
            ended.map_err(Failure::of_publisher)
        });
        let mut outcome = Ok(());
        while let Some(ended) = tasks.join_next().await {
            stop.cancel(); // one ended, so the other finishes its step and stops
            outcome = outcome.and(ended.unwrap_or_else(|panicked| Err(Failure::unexpected(panicked))));
        }
        outcome
    })
    .await
}

/// A gateway beside a publisher, and the agents that the publisher hears of through it.
pub(crate) struct Beside {
    pub(crate) gateway: Gateway,
    pub(crate) fleet: Arc<dyn Fleet>,
}

/// A gateway on the publisher's own store, trusting the publisher's own root. Whoever the configuration gives access may command
/// the publisher through it, by way of `orders`.
pub(crate) fn gateway_beside(
    config: &Config,
    limits: Limits,
    status: watch::Receiver<PublisherStatus>,
    orders: Orders,
) -> Result<Beside, Failure> {
    let source = SourceUrl::Store(config.store.clone());
    let mut beside = gateway::Config::new(source, &config.root).map_err(Failure::unexpected)?;
    beside.listen = config.listen.unwrap_or(LISTEN);
    beside.limits = limits;
    if let Some(entrance) = &config.entrance {
        beside.entrance = Entrance::load(entrance).map_err(Failure::usage)?;
    }
    let access = config.control.as_deref().map(AccessFile::open).transpose().map_err(Failure::usage)?;
    let reader = Publisher::open_to_read(config).map_err(Failure::of_publisher)?;
    let gateway = Gateway::bind(beside, Some(status.clone())).map_err(crate::gateway::cannot_bind)?;
    let fleet: Arc<dyn Fleet> = Arc::new(Heard::through(gateway.agents()));
    let api = Api::new(access, orders, status, reader, Arc::clone(&fleet));
    Ok(Beside { gateway: gateway.hosting(Arc::new(Hosted(api))), fleet })
}

const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7878));
