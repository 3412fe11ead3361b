//! The command line of `driftless-agent`. Data on stdout, talk on stderr.

mod show;

use std::error::Error;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use edge_agent::{AgentError, Config, ConfigError, IdentityError, NotReplaced, StatusError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Keeps the configuration of this host at what its signed pointers say
#[derive(Parser)]
#[command(name = "driftless-agent", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Follow, verify, apply and ack until told to stop
    Run(ConfigArgument),
    /// Show what each app runs, and what came of its newest generation
    Status {
        #[command(flatten)]
        config: ConfigArgument,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Read every byte of what runs, and compare it with what was signed; exit code 3 where it differs
    Verify {
        #[command(flatten)]
        config: ConfigArgument,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the name of this agent and the public key of its acks; makes the key where there is none yet
    Identity {
        #[command(flatten)]
        config: ConfigArgument,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The trust root of this agent
    #[command(subcommand)]
    Trust(TrustCommand),
    /// Read the configuration and say what is wrong with it
    CheckConfig(ConfigArgument),
}

#[derive(Subcommand)]
enum TrustCommand {
    /// Put another trust root in force by hand, where root keys are lost and the chain cannot go on; the agent must not run
    ReplaceRoot {
        #[command(flatten)]
        config: ConfigArgument,
        /// The new trust root
        #[arg(value_name = "FILE")]
        root: PathBuf,
        /// What the file's fingerprint is, or its first 16 digits, as you were told by other ways than the file; without it, the
        /// fingerprint is shown and nothing is changed
        #[arg(long, value_name = "HEX")]
        fingerprint: Option<String>,
    },
}

#[derive(clap::Args)]
struct ConfigArgument {
    /// The agent's configuration
    #[arg(
        long = "config",
        value_name = "FILE",
        default_value = "/etc/driftless/agent.yaml",
        env = "DRIFTLESS_AGENT_CONFIG"
    )]
    path: PathBuf,
}

/// What can go wrong here, and the exit codes: 1 unexpected, 2 usage, 3 refused.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Status(#[from] StatusError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("the trust root is not replaced")]
    Root(#[from] NotReplaced),
    #[error("what runs is not what was signed")]
    NotProven,
    #[error("the runtime cannot be started")]
    Runtime(#[source] io::Error),
    #[error("the output cannot be written")]
    Output(#[from] io::Error),
    #[cfg(feature = "failpoints")]
    #[error(transparent)]
    Failpoint(#[from] edge_agent::failpoints::UnknownFailpoint),
}

impl Failed {
    fn exit_code(&self) -> ExitCode {
        match self {
            Failed::Config(_) | Failed::Agent(AgentError::Mirrors(_)) => ExitCode::from(2),
            Failed::Agent(AgentError::Lock(_) | AgentError::Trust(_)) => ExitCode::from(3),
            Failed::Identity(_) | Failed::Root(_) | Failed::NotProven => ExitCode::from(3),
            _ => ExitCode::from(1),
        }
    }
}

/// Reads the arguments, does what they say, and gives the exit code.
pub(crate) fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("DRIFTLESS_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    match execute(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            let mut text = format!("error: {failed}\n");
            let mut cause = failed.source();
            while let Some(error) = cause {
                text.push_str(&format!("  caused by: {error}\n"));
                cause = error.source();
            }
            // Nobody is left to be told where even stderr is gone.
            let _ = io::stderr().write_all(text.as_bytes());
            failed.exit_code()
        }
    }
}

fn execute(command: Command) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    match command {
        Command::Run(config) => run(Config::load(&config.path)?),
        Command::Status { config, json } => {
            let status = edge_agent::status(&Config::load(&config.path)?.state)?;
            if json {
                return Ok(show::json(&mut out, &status)?);
            }
            Ok(status.iter().try_for_each(|app| show::status(&mut out, app))?)
        }
        Command::Verify { config, json } => verify(&mut out, &Config::load(&config.path)?, json),
        Command::Identity { config, json } => {
            let config = Config::load(&config.path)?;
            let (agent, public_key) = (&config.id, edge_agent::identity(&config.state)?);
            if json {
                let identity = serde_json::json!({ "agent": agent, "public_key": public_key });
                return Ok(show::json(&mut out, &identity)?);
            }
            Ok(writeln!(out, "{agent} {public_key}")?)
        }
        Command::Trust(TrustCommand::ReplaceRoot { config, root, fingerprint }) => {
            let config = Config::load(&config.path)?;
            let replaced = edge_agent::replace_root(&config, &root, fingerprint.as_deref())?;
            let (version, epoch, fingerprint) = (replaced.version, replaced.epoch, replaced.fingerprint);
            Ok(writeln!(out, "trust root version {version}, epoch {epoch}, fingerprint {fingerprint} is in force")?)
        }
        Command::CheckConfig(config) => {
            Config::load(&config.path)?;
            Ok(writeln!(out, "{} is fine", config.path.display())?)
        }
    }
}

fn run(config: Config) -> Result<(), Failed> {
    #[cfg(feature = "failpoints")]
    edge_agent::failpoints::arm_from_env()?;
    edge_agent::keep_out_of_core_dumps();
    // One thread for everything that waits: a server has better things to do with its cores.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failed::Runtime)?;
    runtime.block_on(async {
        let mut signals = [SignalKind::interrupt(), SignalKind::terminate()]
            .map(|kind| signal(kind).map_err(Failed::Runtime))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        let shutdown = CancellationToken::new();
        let mut agent = JoinSet::new();
        agent.spawn(edge_agent::run(config, None, shutdown.clone()));
        loop {
            let (first, second) = signals.split_at_mut(1);
            tokio::select! {
                Some(ended) = agent.join_next() => {
                    return Ok(ended.unwrap_or_else(|bug| Err(AgentError::Task(bug)))?);
                }
                _ = first[0].recv() => {}
                _ = second[0].recv() => {}
            }
            if shutdown.is_cancelled() {
                // The second signal: every step is safe to stop in.
                return Ok(());
            }
            tracing::info!("Stopping after the step at hand; signal once more to stop at once");
            shutdown.cancel();
        }
    })
}

fn verify(out: &mut impl Write, config: &Config, json: bool) -> Result<(), Failed> {
    let proofs = edge_agent::verify(&config.state)?;
    if json {
        show::json(out, &proofs)?;
    } else {
        proofs.iter().try_for_each(|proof| show::proof(out, proof))?;
    }
    let sound = proofs.iter().all(|proof| proof.finding.is_sound());
    if sound { Ok(()) } else { Err(Failed::NotProven) }
}
