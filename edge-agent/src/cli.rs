//! The command line of `driftless-agent`. Data on stdout, talk on stderr.

use std::error::Error;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use edge_agent::{AgentError, AppStatus, Config, ConfigError, Finding, StatusError};
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
    /// Read every byte of what runs, and compare it with what was signed
    Verify(ConfigArgument),
    /// Read the configuration and say what is wrong with it
    CheckConfig(ConfigArgument),
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
            Failed::Config(_) => ExitCode::from(2),
            Failed::Agent(AgentError::Lock(_) | AgentError::Trust(_)) | Failed::NotProven => ExitCode::from(3),
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
                serde_json::to_writer_pretty(&mut out, &status).map_err(io::Error::from)?;
                return Ok(writeln!(out)?);
            }
            Ok(status.iter().try_for_each(|app| show(&mut out, app))?)
        }
        Command::Verify(config) => verify(&mut out, &Config::load(&config.path)?),
        Command::CheckConfig(config) => {
            Config::load(&config.path)?;
            Ok(writeln!(out, "{} is fine", config.path.display())?)
        }
    }
}

fn run(config: Config) -> Result<(), Failed> {
    #[cfg(feature = "failpoints")]
    edge_agent::failpoints::arm_from_env()?;
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

fn show(out: &mut impl Write, app: &AppStatus) -> io::Result<()> {
    let active = app.active.map_or_else(|| "nothing yet".to_owned(), |digest| digest.short());
    writeln!(out, "{}: runs {active}", app.app)?;
    if let Some(told) = &app.told {
        let step = told.step.map(|step| format!(" at {step}")).unwrap_or_default();
        let answered = if app.unanswered == 0 { "" } else { ", not answered yet" };
        writeln!(out, "  generation {}: {}{step} ({}{answered})", told.generation, told.outcome, told.at)?;
        if let Some(reason) = &told.reason {
            writeln!(out, "  because: {}", reason.escape_debug())?;
        }
    }
    if let Some(seen) = app.seen {
        writeln!(out, "  newest pointer: {seen}")?;
    }
    writeln!(out, "  versions on disk: {}", app.versions.len())?;
    if let Some(problem) = &app.problem {
        writeln!(out, "  PROBLEM: {problem}")?;
    }
    Ok(())
}

fn verify(out: &mut impl Write, config: &Config) -> Result<(), Failed> {
    let mut sound = true;
    for proof in edge_agent::verify(&config.state)? {
        sound &= proof.finding.is_sound();
        let app = proof.app;
        match proof.finding {
            Finding::Nothing => writeln!(out, "{app}: runs nothing yet")?,
            Finding::Proven(digest) => writeln!(out, "{app}: every byte is that of {digest}")?,
            Finding::Changed { named, found } => writeln!(out, "{app}: CHANGED: {found}, not {named}")?,
            Finding::Unprovable(why) => writeln!(out, "{app}: NOT PROVEN: {why}")?,
        }
    }
    if sound { Ok(()) } else { Err(Failed::NotProven) }
}
