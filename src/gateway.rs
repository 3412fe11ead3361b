//! `driftless gateway`: long-polls, store paths and acks for one region.

use std::path::PathBuf;

use ::gateway::{BindError, Config, Gateway};

use crate::exit::{Failure, Outcome};
use crate::{out, shutdown, which};

/// Serve a store, or another gateway, to the agents of a region
///
/// Holds long-polls until a pointer moves, serves bundles, and gathers what the agents say. Needs a trust root and no secret:
/// it verifies what it relays, and nobody has to trust it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The gateway's configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Only read the configuration and say whether it is fine
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let config = Config::load(&args.config).map_err(Failure::usage)?;
    if args.check {
        return which::fine(&args.config);
    }
    shutdown::on_signal(async |stop| {
        let gateway = Gateway::bind(config, None).map_err(cannot_bind)?;
        out::talk(&format!("serving on {}", gateway.url()));
        gateway.run(stop).await.map_err(Failure::unexpected)
    })
    .await
}

/// What keeps a gateway from beginning: configuration or host must change.
pub(crate) fn cannot_bind(error: BindError) -> Failure {
    let is_taken = matches!(error, BindError::Listen { .. });
    let failure = Failure::usage(error);
    if is_taken { failure.hint("is another one running? name another address to listen on") } else { failure }
}
