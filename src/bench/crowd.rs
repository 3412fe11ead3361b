//! Many clients of one server, in as many processes as the limit on open files asks for.
//!
//! In: a server, a script, a number. Out: when each client had the news. The clients live in children of this process
//! (`worker.rs`), so that neither their open files nor their reading count as this process's; they end with it.

mod arrival;
mod client;
mod comeback;
mod link;
pub(super) mod orders;
mod secrecy;
mod socket;
pub(super) mod worker;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use self::orders::{Arrivals, Order, Plan, Readers, Report, Trusted};
use super::files;
use super::script::Script;

/// Whom a crowd comes to, as how many.
#[derive(Clone, Debug)]
pub(super) struct Gathering {
    pub(super) server: SocketAddr,
    pub(super) tls: Option<Trusted>,
    pub(super) script: Script,
    pub(super) clients: usize,
    /// A number between 1 and 250 that no other crowd of this run has: it comes from addresses of its own.
    pub(super) street: u8,
    /// Connections to open in a second, at most, by all together.
    pub(super) pace: u32,
}

/// Clients that wait for news.
pub(super) struct Crowd {
    workers: Vec<Worker>,
    clients: usize,
}

/// Says why a crowd could not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum CrowdError {
    /// A process that holds clients did not start, or did not answer.
    #[error("a process that holds clients failed")]
    Worker(#[source] io::Error),
    /// Such a process said something else than it was asked, or ended.
    #[error("a process that holds clients ended, or answered out of turn")]
    OutOfTurn,
    /// Not everybody could connect.
    #[error("{dead} of {clients} clients could not wait for news: {why}")]
    Dead { dead: usize, clients: usize, why: String },
}

impl Crowd {
    /// Starts all clients, and gives them when each of them waits.
    pub(super) async fn gather(gathering: Gathering) -> Result<Crowd, CrowdError> {
        let clients = gathering.clients;
        let mut workers = Vec::new();
        for plan in plans(&gathering) {
            workers.push(Worker::start(&plan).await?);
        }
        let mut crowd = Crowd { workers, clients };
        crowd.armed().await?;
        Ok(crowd)
    }

    /// Has everybody ask again. Whoever has no connection makes one.
    pub(super) async fn arm(&mut self) -> Result<(), CrowdError> {
        self.tell(&Order::Arm).await?;
        self.armed().await
    }

    /// Has everybody expect news of `generation`.
    pub(super) async fn expect(&mut self, generation: u64, readers: Readers) -> Result<(), CrowdError> {
        self.tell(&Order::Expect { generation, readers }).await?;
        self.ready().await
    }

    /// Has everybody read what came, and wait for what did not for as long as `patience`.
    pub(super) async fn read(&mut self, patience: Duration) -> Result<Arrivals, CrowdError> {
        let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.tell(&Order::Read { patience_ms }).await?;
        let mut all = Arrivals::default();
        for worker in &mut self.workers {
            let Report::Arrived(arrivals) = worker.hear(ANSWER_WITHIN + patience).await? else {
                return Err(CrowdError::OutOfTurn);
            };
            all = all.and(arrivals);
        }
        Ok(all)
    }

    /// Has whoever is cut off come back by itself from now on, as agents do.
    pub(super) async fn roam(&mut self) -> Result<(), CrowdError> {
        self.tell(&Order::Roam).await?;
        self.ready().await
    }

    async fn tell(&mut self, order: &Order) -> Result<(), CrowdError> {
        for worker in &mut self.workers {
            worker.tell(order).await?;
        }
        Ok(())
    }

    async fn ready(&mut self) -> Result<(), CrowdError> {
        for worker in &mut self.workers {
            let Report::Ready = worker.hear(ANSWER_WITHIN).await? else { return Err(CrowdError::OutOfTurn) };
        }
        Ok(())
    }

    async fn armed(&mut self) -> Result<(), CrowdError> {
        let (mut all_dead, mut first) = (0, None);
        for worker in &mut self.workers {
            let armed_within = ANSWER_WITHIN + worker.connecting;
            let Report::Armed { dead, why, .. } = worker.hear(armed_within).await? else {
                return Err(CrowdError::OutOfTurn);
            };
            all_dead += dead;
            first = first.or(why);
        }
        if all_dead > 0 {
            let why = first.unwrap_or_else(|| "they heard nothing".to_owned());
            return Err(CrowdError::Dead { dead: all_dead, clients: self.clients, why });
        }
        Ok(())
    }
}

/// A child that holds clients. It ends when its standard input does, and at the latest when this value is dropped.
struct Worker {
    orders: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    /// How long its clients take to connect, at its pace.
    connecting: Duration,
    _process: Child,
}

impl Worker {
    async fn start(plan: &Plan) -> Result<Worker, CrowdError> {
        let mut process = own(&["bench", "crowd-worker"]).map_err(CrowdError::Worker)?;
        let orders = process.stdin.take().expect("it is piped");
        let reports = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let connecting = Duration::from_secs_f64(plan.clients as f64 / f64::from(plan.pace));
        let mut worker = Worker { orders, reports, connecting, _process: process };
        worker.say(serde_json::to_string(plan)).await?;
        Ok(worker)
    }

    async fn tell(&mut self, order: &Order) -> Result<(), CrowdError> {
        self.say(serde_json::to_string(order)).await
    }

    async fn say(&mut self, line: serde_json::Result<String>) -> Result<(), CrowdError> {
        let line = line.expect("orders have string keys") + "\n";
        self.orders.write_all(line.as_bytes()).await.map_err(CrowdError::Worker)
    }

    async fn hear(&mut self, within: Duration) -> Result<Report, CrowdError> {
        let late = |_| CrowdError::Worker(io::ErrorKind::TimedOut.into());
        let line = timeout(within, self.reports.next_line()).await.map_err(late)?;
        let line = line.map_err(CrowdError::Worker)?.ok_or(CrowdError::OutOfTurn)?;
        serde_json::from_str(&line).map_err(|error| CrowdError::Worker(error.into()))
    }
}

/// Starts this program once more, to be talked to by lines.
pub(super) fn own(args: &[&str]) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    // Ctrl-C reaches us, and we end our children.
    command.process_group(0);
    command.spawn()
}

/// Clients for each process, and for each address on loopback, spread evenly.
fn plans(gathering: &Gathering) -> Vec<Plan> {
    let Gathering { server, tls, script, clients, street, pace } = gathering;
    let each = EACH_MAX.min(files::most().saturating_sub(FILES_OF_ITS_OWN)).max(1);
    let workers = clients.div_ceil(each).max(1);
    let share = clients.div_ceil(workers);
    let source = |client: usize| {
        let house = u8::try_from(2 + client / CLIENTS_PER_ADDRESS).ok()?;
        server.ip().is_loopback().then_some(IpAddr::V4(Ipv4Addr::new(127, *street, 0, house)))
    };
    let plan = |first: usize| {
        let clients = share.min(clients - first);
        Plan {
            server: *server,
            tls: tls.clone(),
            script: script.clone(),
            sources: (first..first + clients).filter_map(source).collect(),
            clients,
            first,
            pace: (pace / u32::try_from(workers).unwrap_or(u32::MAX)).max(1),
        }
    };
    (0..*clients).step_by(share.max(1)).map(plan).collect()
}

/// Fewer than there are ports for one address and one server.
const CLIENTS_PER_ADDRESS: usize = 4500;
/// More clients than that are more than one thread should read.
const EACH_MAX: usize = 9000;
const FILES_OF_ITS_OWN: usize = 64;
/// Longer than any worker tries, beside the time that it is given for what it does.
const ANSWER_WITHIN: Duration = Duration::from_secs(180);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::script::http::Poll;

    #[test]
    fn everybody_has_a_process_and_an_address() {
        let poll = Poll { host: String::new(), path: String::new(), headers: String::new(), tag: None };
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let (script, clients) = (Script::Http(poll), 18_001);
        let plans = plans(&Gathering { server, tls: None, script, clients, street: 3, pace: 3000 });
        assert!(plans.iter().all(|plan| plan.clients <= EACH_MAX && plan.sources.len() == plan.clients));
        assert_eq!(plans.iter().map(|plan| plan.clients).sum::<usize>(), clients);
        assert_eq!(plans.iter().map(|plan| plan.pace).sum::<u32>(), 3000);
        let mut sources: Vec<IpAddr> = plans.iter().flat_map(|plan| plan.sources.clone()).collect();
        assert!(sources.chunk_by(|one, next| one == next).all(|same| same.len() <= CLIENTS_PER_ADDRESS));
        sources.dedup();
        assert_eq!(sources.len(), 5);
    }
}
