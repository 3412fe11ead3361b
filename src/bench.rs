//! `driftless bench`: measures this machine, with real processes and real sockets, so that anybody can repeat our figures.
//!
//! One file for each thing that is measured. What two of them share is in a folder with one noun for a name: the crowd of
//! clients (`crowd/`), what they speak (`script/`), the floor that ratios go by (`floor/`), a gateway to measure (`site/`),
//! what the kernel says of a process (`process.rs`) and lets one have (`files.rs`), rounds and their medians (`figures.rs`).

mod agents;
mod apply;
mod contest;
mod crowd;
mod delta;
mod fanout;
mod figures;
mod files;
mod floor;
mod idle;
mod marks;
mod origin;
mod process;
mod publish;
mod replay;
mod restart;
mod rollback;
mod script;
mod site;
mod watch;

pub(crate) use marks::Marks;

use crate::exit::{Code, Failure, Outcome};
use crate::shutdown;

/// Measure this machine: fan-out, restarts, patches, publishing
///
/// Everything runs in temporary folders and on loopback, and is gone afterwards. Times differ from machine to machine and from
/// minute to minute: compare ratios, which are taken within one run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, clap::Subcommand)]
enum Bench {
    Fanout(fanout::Args),
    Floor(floor::Args),
    Restart(restart::Args),
    Delta(delta::Args),
    Publish(publish::Args),
    Replay(replay::Args),
    Apply(apply::Args),
    Rollback(rollback::Args),
    Agent(idle::Args),
    Watch(watch::Args),
    #[command(hide = true)]
    FloorServer(floor::server::Args),
    #[command(hide = true)]
    CrowdWorker(crowd::worker::Args),
}

impl Args {
    /// Where the steps of agents in this process are written down, for the benches that measure them.
    pub(crate) fn marks(&self) -> Option<Marks> {
        match &self.bench {
            Bench::Apply(args) => Some(args.marks()),
            Bench::Delta(args) => Some(args.marks()),
            _ => None,
        }
    }

    /// A child of a bench is a process like any other, and no daemon.
    pub(crate) async fn run(self) -> Outcome {
        match self.bench {
            Bench::Fanout(args) => fanout::run(args).await,
            Bench::Floor(args) => floor::run(args).await,
            Bench::Restart(args) => restart::run(args).await,
            Bench::Delta(args) => delta::run(args).await,
            Bench::Publish(args) => publish::run(args).await,
            Bench::Replay(args) => replay::run(args).await,
            Bench::Apply(args) => apply::run(args).await,
            Bench::Rollback(args) => rollback::run(args).await,
            Bench::Agent(args) => idle::run(args).await,
            Bench::Watch(args) => watch::run(args).await,
            Bench::FloorServer(args) => floor::server::run(&args),
            Bench::CrowdWorker(args) => crowd::worker::run(&args),
        }
    }
}

/// Runs `work` to its end or to Ctrl-C. What it started ends with it: every child is owned by something in it.
async fn interruptible(work: impl Future<Output = Outcome>) -> Outcome {
    shutdown::on_signal(async |stop| {
        tokio::select! {
            outcome = work => outcome,
            () = stop.cancelled() => Err(Failure::new(Code::Unexpected, "interrupted; nothing was measured")),
        }
    })
    .await
}
