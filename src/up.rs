//! `driftless up`: publisher and gateway in one process.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use gateway::{Entrance, Gateway, SourceUrl};
use publisher::{Config, Publisher};
use schema::status::PublisherStatus;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::exit::{Failure, Outcome};
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
        let mut tasks: JoinSet<Outcome> = JoinSet::new();
        if config.listen.is_some() {
            let gateway = gateway_beside(&config, status)?;
            out::talk(&format!("serving on {}", gateway.url()));
            let stop = stop.clone();
            tasks.spawn(async move { gateway.run(stop).await.map_err(Failure::unexpected) });
        }
        out::talk(&format!("{} {} of {}", config.duty, config.source.branch, config.source.repository));
        let stopping = stop.clone();
        tasks.spawn(async move {
            let ended = publisher::daemon::run(config, publisher, status_tx, None, stopping).await;
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

/// A gateway on the publisher's own store, trusting the publisher's own root.
pub(crate) fn gateway_beside(config: &Config, status: watch::Receiver<PublisherStatus>) -> Result<Gateway, Failure> {
    let source = SourceUrl::Store(config.store.clone());
    let mut beside = gateway::Config::new(source, &config.root).map_err(Failure::unexpected)?;
    beside.listen = config.listen.unwrap_or(LISTEN);
    if let Some(entrance) = &config.entrance {
        beside.entrance = Entrance::load(entrance).map_err(Failure::usage)?;
    }
    Gateway::bind(beside, Some(status)).map_err(crate::gateway::cannot_bind)
}

const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7878));
