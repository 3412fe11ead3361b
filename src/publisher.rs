//! `driftless publisher`: from a branch to the store, and nothing else.

use std::net::SocketAddr;

use publisher::{Publisher, daemon};

use crate::exit::{Failure, Outcome};
use crate::which::{self, Which};
use crate::{out, up};

/// Publish a branch to a store
///
/// Like `driftless up`, but serves nothing, not even its status, unless --listen says where: gateways, a CDN or a file server
/// do that.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,

    /// Serve pointers, bundles and status here as well
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Look at the branch once, publish what is there, and end
    #[arg(long)]
    once: bool,

    /// Only read the configuration and say whether it is fine
    #[arg(long, conflicts_with = "once")]
    check: bool,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let mut config = args.which.load()?;
    if args.check {
        return which::fine(&args.which.file()?);
    }
    config.listen = args.listen;
    if !args.once {
        return up::serve(config).await;
    }
    let publisher = Publisher::open(&config).map_err(Failure::of_publisher)?;
    let looked = daemon::once(config, publisher).await.map_err(Failure::of_publisher)?;
    for moved in &looked.report.moved {
        out::data(&format!("{} {} {} {}", moved.app, moved.region, moved.order, moved.digest));
    }
    looked.notes.iter().for_each(|note| out::talk(&format!("note: {note}")));
    out::talk(&format!("commit {} is published; {} pointers moved", looked.commit.short(), looked.report.moved.len()));
    Ok(())
}
