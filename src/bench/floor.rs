//! `driftless bench floor`: what the machine itself needs to tell many sockets something.
//!
//! One thread, one epoll, as many sockets as there are agents, and one write of the same bytes to each: no server that tells
//! one socket after the other can do with less. It is what the other figures are divided by.

pub(super) mod server;

use std::net::SocketAddr;
use std::time::SystemTime;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::contest::{Contest, Server, Settings};
use super::crowd::own;
use super::files;
use super::interruptible;
use super::site::Runs;
use crate::exit::{Failure, Outcome};

/// Measure the floor: an epoll loop that writes the same bytes to the same number of sockets
///
/// One thread in a process of its own. What any server costs on this machine is best told in multiples of this.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,
}

pub(crate) async fn run(args: Args) -> Outcome {
    interruptible(async {
        let mut contest = Contest::new(&args.settings)?;
        contest.enter("floor", Server::floor(args.settings.clients(), Runs::Nothing).await?).await?;
        contest.run().await?.tell(args.settings.json)
    })
    .await
}

/// The floor's server: a child of this process.
pub(super) struct Floor {
    pub(super) address: SocketAddr,
    orders: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    process: Child,
}

impl Floor {
    /// Starts it, for that many clients.
    pub(super) async fn start(clients: usize) -> Result<Floor, Failure> {
        files::suffice(clients)?;
        let mut process = own(&["bench", "floor-server"]).map_err(Failure::unexpected)?;
        let orders = process.stdin.take().expect("it is piped");
        let mut reports = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let line = reports.next_line().await.map_err(Failure::unexpected)?.unwrap_or_default();
        let address = line.parse().map_err(|_| Failure::unexpected("the floor's server does not say where it is"))?;
        Ok(Floor { address, orders, reports, process })
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Clients that wait there.
    pub(super) async fn parked(&mut self) -> Result<usize, Failure> {
        self.orders.write_all(b"parked\n").await.map_err(Failure::unexpected)?;
        let line = self.reports.next_line().await.map_err(Failure::unexpected)?.unwrap_or_default();
        line.parse().map_err(|_| Failure::unexpected("the floor's server does not say how many wait"))
    }

    /// Hands over what everybody is told next.
    pub(super) async fn prepare(&mut self, answer: &[u8]) -> Result<(), Failure> {
        let line = format!("tell {}\n", answer.len());
        self.orders.write_all(&[line.as_bytes(), answer].concat()).await.map_err(Failure::unexpected)?;
        self.reports.next_line().await.map_err(Failure::unexpected)?;
        Ok(())
    }

    /// Has everybody told. Gives the moment just before.
    pub(super) async fn go(&mut self) -> Result<SystemTime, Failure> {
        let now = SystemTime::now();
        self.orders.write_all(b"go\n").await.map_err(Failure::unexpected)?;
        Ok(now)
    }
}
