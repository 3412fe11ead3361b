//! `driftless publisher`: from a branch to the store, and nothing else.

use std::net::SocketAddr;

use publisher::daemon::Looked;
use publisher::keys::Role;
use publisher::{Duty, Publisher, daemon};

use crate::exit::{Code, Failure, Outcome};
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

    /// Have one role only, and need only its keys: `release` signs manifests, `pointer` moves pointers to what is signed
    /// [default: what the configuration says, else both]
    #[arg(long, value_enum, value_name = "ROLE")]
    role: Option<RoleArg>,

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

/// A role as it is written on the command line.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum RoleArg {
    Release,
    Pointer,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let mut config = args.which.load()?;
    if args.check {
        return which::fine(&args.which.file()?);
    }
    config.listen = args.listen;
    if let Some(role) = args.role {
        config.duty = Duty::from(Some(match role {
            RoleArg::Release => Role::Release,
            RoleArg::Pointer => Role::Pointer,
        }));
    }
    if !args.once {
        return up::serve(config).await;
    }
    let duty = config.duty;
    let publisher = Publisher::open(&config).map_err(Failure::of_publisher)?;
    let looked = daemon::once(config, publisher).await.map_err(Failure::of_publisher)?;
    for moved in &looked.report.moved {
        out::data(&format!("{} {} {} {}", moved.app, moved.region, moved.order, moved.digest));
    }
    looked.notes.iter().for_each(|note| out::talk(&format!("note: {note}")));
    ended(&looked, duty)
}

/// How a single look ends: waiting for other signers is a refusal for whoever was to move pointers.
fn ended(looked: &Looked, duty: Duty) -> Outcome {
    let Looked { commit, report, .. } = looked;
    match (report.waiting.len(), duty) {
        (0, Duty::Everything | Duty::Pointer) => {
            let moved = report.moved.len();
            out::talk(&format!("commit {} is published; {moved} pointers moved", commit.short()));
        }
        (0, Duty::Release | Duty::Rebuild) => {
            out::talk(&format!("commit {} is signed by as many as must", commit.short()));
        }
        (waiting, Duty::Release | Duty::Rebuild) => {
            out::talk(&format!("commit {} is signed here; {waiting} bundles wait for others to sign", commit.short()));
        }
        (waiting, Duty::Everything | Duty::Pointer) => {
            let error =
                format!("commit {} is not published: {waiting} bundles wait for others to sign", commit.short());
            return Err(Failure::new(Code::Refused, error).hint("run this again when the other signers have signed"));
        }
    }
    Ok(())
}
