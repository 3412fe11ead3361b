//! `driftless bench apply`: whole applies of many agents, and where their time goes.
//!
//! One publisher, one gateway or a few, and agents of the real library in worker processes (this same program, see `worker.rs`).
//! One change; each agent is notified, fetches, verifies, switches and acks, and writes down when it reached each step.

mod crowd;
mod disk;
mod hands;
mod phases;
mod tell;
mod worker;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::figures::ms;
use super::interruptible;
use super::marks::Marks;
use super::origin::Origin;
use crate::exit::{Failure, Outcome};
pub(super) use crowd::Crowd;
pub(super) use disk::Disk;
pub(super) use phases::Applied;
pub(super) use tell::{in_words, tell_applied};

/// Measure whole applies of many agents: notify, fetch, verify, switch, ack, and where the time goes
///
/// The agents share this machine's processors and disk, so what is printed is what this machine can do, and no fleet's delay.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    scale: Scale,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,

    /// What a worker process is to do
    #[arg(long, hide = true, value_name = "FILE", exclusive = true)]
    worker: Option<PathBuf>,

    #[arg(skip)]
    marks: Marks,
}

/// How many of everything.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Scale {
    /// How many agents
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    agents: u64,

    /// How many processes the agents are spread over [default: one for every 2000]
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u64).range(1..=1000))]
    processes: Option<u64>,

    /// How many gateways they are spread over [default: one for every 9000, which have two connections each]
    #[arg(long, value_name = "G", value_parser = clap::value_parser!(u64).range(1..=100))]
    gateways: Option<u64>,

    /// Where the agents keep their folders: what they sync is as fast as the disk there [default: the temporary folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Figures {
    agents: u64,
    processes: u64,
    gateways: u64,
    disk: Disk,
    /// How long it took to start all agents, and have each run the first version.
    start_ms: f64,
    #[serde(flatten)]
    applied: Applied,
}

impl Args {
    pub(super) fn marks(&self) -> Marks {
        self.marks.clone()
    }
}

impl Scale {
    pub(super) fn agents(&self) -> u64 {
        self.agents
    }

    fn processes(&self) -> u64 {
        self.processes.unwrap_or(self.agents.div_ceil(2000)).min(self.agents)
    }

    fn gateways(&self) -> u64 {
        self.gateways.unwrap_or(self.agents.div_ceil(9000))
    }
}

pub(crate) async fn run(args: Args) -> Outcome {
    if let Some(orders) = &args.worker {
        return worker::run(orders, args.marks.clone()).await;
    }
    interruptible(async { measure(&args.scale).await.map(|figures| tell::tell(&figures, args.json)) }).await
}

async fn measure(scale: &Scale) -> Result<Figures, Failure> {
    let origin = Origin::new(1, 1).await?;
    let begun = Instant::now();
    let mut crowd = Crowd::gather(&origin, scale).await?;
    let start = begun.elapsed();
    let disk = crowd.disk()?;
    let change = crowd.change(&origin).await?;
    crowd.dismiss().await?;
    Ok(Figures {
        agents: scale.agents,
        processes: scale.processes(),
        gateways: scale.gateways(),
        disk,
        start_ms: ms(start),
        applied: change,
    })
}

/// How long one generation may take to reach everybody.
const PATIENCE: Duration = Duration::from_secs(900);
