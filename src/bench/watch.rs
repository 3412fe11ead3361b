//! `driftless bench watch`: our gateway, the floor and servers of other kinds, in one run. What `bench/peers` calls.

use super::contest::{Contest, Http, Peer, PeerUrl, Server, Settings};
use super::interruptible;
use super::site::Own;
use crate::exit::Outcome;

/// Measure servers of other kinds beside a gateway and the floor
///
/// They run already; `bench/peers` installs and starts them.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    own: Own,

    /// A server: nchan, nats, mosquitto or etcd, where it is, and its process (can be repeated)
    #[arg(long = "peer", value_name = "KIND@ADDRESS:PORT#PROCESS")]
    peers: Vec<PeerUrl>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    interruptible(async {
        let mut contest = Contest::new(&args.settings)?;
        let clients = args.settings.clients();
        let gateway = Server::gateway(&mut contest.press, clients, &args.own, Http::One).await?;
        contest.enter("gateway", gateway).await?;
        contest.enter("floor", Server::floor(clients, args.own.runs()).await?).await?;
        for url in &args.peers {
            contest.enter(url.kind.name(), Server::Peer(Box::new(Peer::connect(url)?))).await?;
        }
        contest.run().await?.tell(args.settings.json)
    })
    .await
}
