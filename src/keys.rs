//! `driftless keys`: keys and trust roots, made by people and signed by people.
//!
//! What a root may say and who has to sign it is decided in `publisher::ceremony`; here are files, terminals and stores.

mod assemble;
mod before;
mod chain;
mod changes;
mod draft;
mod file;
mod init;
mod install;
mod key;
mod new;
mod password;
mod revoke;
mod rotate;
mod show;
mod sign;
mod view;

use clap::Subcommand;

use crate::exit::Outcome;

/// Make keys and trust roots, and change who is trusted
///
/// A trust root says which keys count. The next one is drafted (`init`, `rotate`, `revoke`), signed by as many people as the root
/// before it and it itself ask for (`sign`, or the stock minisign alone), and put together (`assemble`). No step needs a
/// network, and root keys belong on no server. docs/guide/keys.md walks through all of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::Args),
    Init(init::Args),
    Rotate(rotate::Args),
    Revoke(revoke::Args),
    Sign(sign::Args),
    Assemble(assemble::Args),
    Show(show::Args),
}

pub(crate) async fn run(args: Args) -> Outcome {
    match args.command {
        Command::New(args) => new::run(&args).await,
        Command::Init(args) => init::run(&args),
        Command::Rotate(args) => rotate::run(&args).await,
        Command::Revoke(args) => revoke::run(&args).await,
        Command::Sign(args) => sign::run(&args).await,
        Command::Assemble(args) => assemble::run(&args).await,
        Command::Show(args) => show::run(&args).await,
    }
}
