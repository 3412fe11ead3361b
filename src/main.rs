//! The one command of Driftless: arguments in, exit code out. The work is done in the libraries.

mod agent;
mod audit;
mod bench;
mod cli;
mod compile;
mod completions;
mod control;
mod demo;
mod doctor;
mod exit;
mod fleet;
mod freeze;
mod gateway;
mod history;
mod home;
mod init;
mod keys;
mod logging;
mod man;
mod open_files;
mod operator;
mod out;
mod publisher;
mod quarantine;
mod reach;
mod rebuild;
mod rollback;
mod rollout;
mod scratch;
mod shutdown;
mod simulate;
mod status;
mod table;
mod unfreeze;
mod up;
mod which;
mod yaml;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    edge_agent::failpoints::arm_from_env().expect("DRIFTLESS_KILL_AT names a step");
    exit::code_of(cli::Cli::parse().run())
}
