//! `driftless agent`: what `driftless-agent run` does, in the one command.

use std::path::PathBuf;

use edge_agent::{AgentError, Config};
use schema::AgentId;

use crate::exit::{Code, Failure, Outcome};
use crate::{shutdown, which};

/// Run an agent on this host
///
/// Follows the pointers of its region, verifies, checks, switches and acks. Hosts that need nothing else install the smaller
/// `driftless-agent` instead; it reads the same configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The agent's configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Ack under this name instead of the configured one
    #[arg(long, value_name = "NAME")]
    id: Option<AgentId>,

    /// Keep state in this folder instead of the configured one
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,

    /// Only read the configuration and say whether it is fine
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let mut config = Config::load(&args.config).map_err(Failure::usage)?;
    if args.check {
        return which::fine(&args.config);
    }
    if let Some(id) = args.id {
        config.id = id;
    }
    if let Some(state) = args.state {
        config.state = state;
    }
    edge_agent::keep_out_of_core_dumps();
    shutdown::on_signal(async |stop| edge_agent::run(config, None, stop).await.map_err(failure)).await
}

fn failure(error: AgentError) -> Failure {
    let code = match error {
        AgentError::Lock(_) | AgentError::Trust(_) | AgentError::Identity(_) | AgentError::Mirrors(_) => Code::Usage,
        AgentError::Task(_) => Code::Unexpected,
    };
    Failure::new(code, error)
}
