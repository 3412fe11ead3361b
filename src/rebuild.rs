//! `driftless rebuild`: compiles what others sign once more, and co-signs it only if it is the same.

use std::net::SocketAddr;

use publisher::{Duty, Publisher, daemon};
use schema::CommitId;

use crate::exit::{Failure, Outcome};
use crate::which::Which;
use crate::{out, up};

/// Compile what the publisher signed once more, and co-sign it only if it is the same
///
/// For a trust root whose release role needs two keys: runs beside its own clone and its own signer policy, on another machine,
/// with one of the two. Whoever steals the publisher then gets nothing new to any agent. Never the first to sign; where the
/// bytes differ it signs nothing and says both digests.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,

    /// Look at the branch once, co-sign what is offered, and end
    #[arg(long)]
    once: bool,

    /// Rebuild this commit in the place of the branch's tip, once; all of its history is judged
    #[arg(long, value_name = "COMMIT")]
    commit: Option<CommitId>,

    /// Serve the store and this rebuilder's status here as well
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["once", "commit"])]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let mut config = args.which.load()?;
    config.duty = Duty::Rebuild;
    config.listen = args.listen;
    if !args.once && args.commit.is_none() {
        return up::serve(config).await;
    }
    let publisher = Publisher::open(&config).map_err(Failure::of_publisher)?;
    let looked = match args.commit {
        Some(commit) => daemon::once_at(config, publisher, commit).await,
        None => daemon::once(config, publisher).await,
    };
    let looked = looked.map_err(Failure::of_publisher)?;
    looked.notes.iter().for_each(|note| out::talk(&format!("note: {note}")));
    let (commit, report) = (looked.commit.short(), &looked.report);
    let unoffered = report.waiting.iter().filter(|waiting| waiting.signed == 0).count();
    out::talk(&match report.waiting.len() {
        0 => format!("commit {commit} is what was signed for it, and needs no more signatures"),
        _ if unoffered > 0 => {
            format!("commit {commit} has {unoffered} bundles that nobody has offered for signing yet")
        }
        waiting => format!("commit {commit} is what was signed for it; {waiting} bundles wait for others to sign"),
    });
    Ok(())
}
