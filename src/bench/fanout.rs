//! `driftless bench fanout`: how long it takes until all agents of a gateway know, and what that costs the gateway.

use std::path::PathBuf;

use follower::BaseUrl;
use schema::{App, Region};

use super::contest::{Contest, Foreign, Http, Server, Settings};
use super::interruptible;
use super::site::Own;
use crate::exit::{Failure, Outcome};

/// Measure how fast a gateway tells all of its agents, and what that costs it
///
/// Starts a gateway with a store in a temporary folder, parks that many long-polls on it, and moves the pointer again and again,
/// in turns with the floor: a bare epoll loop that writes the same bytes to the same number of sockets. The exit code is 1 where
/// any client did not get the whole new pointer.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    own: Own,

    /// Speak HTTP/2
    #[arg(long, conflicts_with_all = ["tls", "have", "gateway"])]
    http2: bool,

    /// Leave out the floor
    #[arg(long)]
    no_floor: bool,

    /// Measure this gateway, which runs already, instead of one of our own; its processor time and memory are not known then
    #[arg(long, value_name = "URL", requires_all = ["app", "region", "publish"], conflicts_with_all = ["tls", "have", "program"])]
    gateway: Option<BaseUrl>,

    /// Whose pointer moves
    #[arg(long, value_name = "APP", requires = "gateway")]
    app: Option<App>,

    /// Where it moves
    #[arg(long, value_name = "REGION", requires = "gateway")]
    region: Option<Region>,

    /// A shell command that moves it once
    #[arg(long, value_name = "COMMAND", requires = "gateway")]
    publish: Option<String>,

    /// Certificates of the authorities that vouch for an https gateway (PEM)
    #[arg(long, value_name = "FILE", requires = "gateway")]
    ca: Option<PathBuf>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    interruptible(async {
        let mut contest = Contest::new(&args.settings)?;
        let server = server(&args, &mut contest).await?;
        let (clients, runs) = (args.settings.clients(), args.own.runs());
        let floor = if args.no_floor { None } else { Some(Server::floor(clients, runs).await?) };
        contest.enter("gateway", server).await?;
        if let Some(floor) = floor {
            contest.enter("floor", floor).await?;
        }
        contest.run().await?.tell(args.settings.json)
    })
    .await
}

async fn server(args: &Args, contest: &mut Contest) -> Result<Server, Failure> {
    if let (Some(url), Some(app), Some(region), Some(publish)) = (&args.gateway, &args.app, &args.region, &args.publish)
    {
        let (app, region, publish) = (app.clone(), region.clone(), publish.clone());
        return Ok(Server::Foreign(Box::new(Foreign::find(url, app, region, publish, args.ca.clone()).await?)));
    }
    let http = if args.http2 { Http::Two } else { Http::One };
    Server::gateway(&mut contest.press, args.settings.clients(), &args.own, http).await
}
