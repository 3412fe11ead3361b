//! `driftless completions`: what a shell needs to complete the command.

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::exit::Outcome;
use crate::out;

/// Print the completion script of a shell
///
/// For bash: `driftless completions bash > /etc/bash_completion.d/driftless`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell to complete for
    shell: clap_complete::Shell,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "driftless", &mut script);
    out::raw(&script);
    Ok(())
}
