//! The shape of the command line.

use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::exit::{Failure, Outcome};
use crate::logging::{self, LogFormat};
use crate::{
    agent, audit, bench, compile, completions, demo, doctor, freeze, gateway, history, init, keys, man, open_files,
    publisher, quarantine, rebuild, rollback, rollout, simulate, status, unfreeze, up,
};

/// Configuration from a git repository to every server in seconds: signed, staged, proven, reversible
///
/// Merge a change, and every agent runs exactly that within seconds; `git revert` brings the version before back as fast.
/// Start with `driftless demo` to see it, or `driftless init` in a repository of your own.
#[derive(Debug, Parser)]
#[command(name = "driftless", version, propagate_version = true, max_term_width = 110, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to log to standard error: error, warn, info, debug, or per module like `gateway=debug`
    #[arg(long, global = true, env = "DRIFTLESS_LOG", value_name = "FILTER", help_heading = "Logging")]
    log: Option<String>,

    /// How to log: for people, or one JSON object a line
    #[arg(long, global = true, value_enum, default_value = "text", help_heading = "Logging")]
    log_format: LogFormat,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Up(up::Args),
    Publisher(publisher::Args),
    Rebuild(rebuild::Args),
    Gateway(gateway::Args),
    Agent(agent::Args),
    Compile(compile::Args),
    Status(status::Args),
    Rollout(rollout::Args),
    Freeze(freeze::Args),
    Unfreeze(unfreeze::Args),
    Quarantine(quarantine::Args),
    History(history::Args),
    Audit(audit::Args),
    Rollback(rollback::Args),
    Keys(keys::Args),
    Doctor(doctor::Args),
    Demo(demo::Args),
    Bench(bench::Args),
    Simulate(simulate::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Cli {
    /// Runs the subcommand to its end.
    pub(crate) fn run(self) -> Outcome {
        let filter = self.log.as_deref().unwrap_or(self.command.usual_log());
        logging::open(filter, self.log_format, self.command.marks())?;
        open_files::raise_limit();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::unexpected)?;
        let outcome = runtime.block_on(self.command.run());
        // Something that blocks may go on for long, and nobody hears a second Ctrl-C by now: every step on disk survives that.
        runtime.shutdown_timeout(LAST_STEPS);
        outcome
    }
}

impl Command {
    /// A daemon says what it does; a command that answers a question keeps quiet unless something is wrong; and what goes
    /// wrong in the demo is part of the play.
    fn usual_log(&self) -> &'static str {
        match self {
            Command::Up(_) | Command::Publisher(_) | Command::Rebuild(_) | Command::Gateway(_) | Command::Agent(_) => {
                // Each retry of a request to a bucket is an `info` there; what comes of it is told here.
                "info,object_store=warn"
            }
            Command::Demo(_) => "off",
            _ => "warn",
        }
    }

    /// What listens to the steps of agents in this process, where somebody measures them.
    fn marks(&self) -> Option<bench::Marks> {
        match self {
            Command::Bench(args) => args.marks(),
            _ => None,
        }
    }

    async fn run(self) -> Outcome {
        match self {
            Command::Init(args) => init::run(&args),
            Command::Up(args) => up::run(args).await,
            Command::Publisher(args) => publisher::run(args).await,
            Command::Rebuild(args) => rebuild::run(args).await,
            Command::Gateway(args) => gateway::run(args).await,
            Command::Agent(args) => agent::run(args).await,
            Command::Compile(args) => compile::run(&args),
            Command::Status(args) => status::run(args).await,
            Command::Rollout(args) => rollout::run(args).await,
            Command::Freeze(args) => freeze::run(args).await,
            Command::Unfreeze(args) => unfreeze::run(args).await,
            Command::Quarantine(args) => quarantine::run(args).await,
            Command::History(args) => history::run(args).await,
            Command::Audit(args) => audit::run(args).await,
            Command::Rollback(args) => rollback::run(args).await,
            Command::Keys(args) => keys::run(args).await,
            Command::Doctor(args) => doctor::run(args).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Bench(args) => args.run().await,
            Command::Simulate(args) => simulate::run(&args),
            Command::Completions(args) => completions::run(&args),
            Command::Man(args) => man::run(&args),
        }
    }
}

/// How long what blocks may go on after the end.
const LAST_STEPS: Duration = Duration::from_secs(5);

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  unexpected: a bug, or a broken machine
  2  usage: the arguments or a configuration file are wrong
  3  refused: a signature, a rule or a guard said no
  4  lost a race: another publisher was first
  5  unreachable: a store, a gateway or a repository does not answer
  6  timed out: what was waited for did not come in time";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
