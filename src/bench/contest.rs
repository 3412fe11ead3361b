//! Servers that tell the same news to as many clients, in turns, so that what the machine does meanwhile befalls them all.
//!
//! In: servers. Out: rounds of each, medians, and ratios to the floor. Every server has a crowd of its own; in each round one
//! after the other gets the same news, while nobody else has anything to do. The first round warms up and is not counted.

mod foreign;
mod peer;
mod quiet;
mod result;
mod server;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::crowd::orders::{Arrivals, Readers};
use super::crowd::{Crowd, Gathering};
use super::figures::{Round, ms, percentile};
use super::process::Processes;
use super::site::press::Press;
use crate::exit::Failure;
use crate::out;

pub(super) use foreign::Foreign;
pub(super) use peer::{Peer, PeerUrl};
pub(super) use quiet::quiet;
use result::{Measured, System};
pub(super) use server::{Http, Server};

/// How many, how often, how.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Settings {
    /// How many clients wait at each server
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) agents: u32,

    /// How many rounds are counted; one more warms up
    #[arg(long, value_name = "R", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) rounds: u32,

    /// What clients do while news arrive
    #[arg(long, value_enum, default_value = "asleep")]
    pub(super) readers: Readers,

    /// Connections to open in a second, at most
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) pace: u32,

    /// After how many seconds a client that got no news counts as lost
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=60))]
    patience: u32,

    /// Print the figures as JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Settings {
    /// How many clients there are.
    pub(super) fn clients(&self) -> usize {
        self.agents as usize
    }
}

/// Everybody who takes part.
pub(super) struct Contest {
    settings: Settings,
    pub(super) press: Press,
    entries: Vec<Entry>,
}

/// One server, and who waits there.
struct Entry {
    server: Server,
    crowd: Crowd,
    processes: Option<Processes>,
    system: System,
    /// Resident memory before anybody came.
    before_kib: u64,
}

impl Contest {
    pub(super) fn new(settings: &Settings) -> Result<Contest, Failure> {
        Ok(Contest { settings: settings.clone(), press: Press::new(), entries: Vec::new() })
    }

    /// Adds a server that runs already, and has its crowd come to it.
    pub(super) async fn enter(&mut self, name: &str, mut server: Server) -> Result<(), Failure> {
        let clients = self.settings.clients();
        let street = u8::try_from(self.entries.len() + 1).map_err(Failure::usage)?;
        out::talk(&format!("{name}: {clients} clients connect"));
        let processes = server.id().map(Processes::under);
        // Before there is anybody, but not before the server has come to rest.
        quiet(processes.as_ref(), SystemTime::now()).await;
        let before_kib = processes.as_ref().map_or(0, Processes::resident_kib);
        let gathering = Gathering {
            server: server.address(),
            tls: server.trusted(),
            script: server.script(),
            clients,
            street,
            pace: self.settings.pace,
        };
        let crowd = Crowd::gather(gathering).await.map_err(Failure::unexpected)?;
        server.all_wait(clients).await?;
        // A server may start helpers when clients come.
        let processes = server.id().map(Processes::under);
        let mut entry = Entry { server, crowd, processes, system: System::new(name), before_kib };
        entry.system.kib_first = entry.kib_per_client(clients).await;
        self.entries.push(entry);
        Ok(())
    }

    /// Runs all rounds.
    pub(super) async fn run(mut self) -> Result<Measured, Failure> {
        let clients = self.settings.clients();
        for round in 0..=self.settings.rounds {
            let news = self.press.print();
            let count = self.entries.len();
            // Nobody always comes after the same one.
            for at in (0..count).map(|at| (at + round as usize) % count) {
                let entry = &mut self.entries[at];
                let generation = entry.server.prepare(&news).await?;
                let figures = entry.round(generation, &self.settings).await?;
                if round > 0 {
                    out::talk(&format!("round {round} {}: {}", entry.system.name, result::in_words(&figures)));
                    entry.system.rounds.push(figures);
                }
            }
        }
        for entry in &mut self.entries {
            entry.system.kib_last = entry.kib_per_client(clients).await;
            entry.system.medians = Round::medians_of(&entry.system.rounds);
        }
        let systems = self.entries.into_iter().map(|entry| entry.system).collect();
        Ok(Measured::new(&self.settings, systems))
    }
}

impl Entry {
    /// One round, from clients that wait to clients that wait again.
    async fn round(&mut self, generation: u64, settings: &Settings) -> Result<Round, Failure> {
        let (readers, clients) = (settings.readers, settings.clients());
        let patience = Duration::from_secs(settings.patience.into());
        let processes = self.processes.as_ref();
        self.crowd.expect(generation, readers).await.map_err(Failure::unexpected)?;
        quiet(processes, SystemTime::now()).await;
        let before = processes.map(Processes::spent);
        let begun = self.server.publish().await?;
        let over = quiet(processes, begun).await;
        let mut after = processes.map(Processes::spent);
        let arrivals = self.crowd.read(patience).await.map_err(Failure::unexpected)?;
        let last = arrivals.arrived.iter().map(|(arrived, _)| *arrived).max().unwrap_or(0);
        if arrivals.lost() > 0 || UNIX_EPOCH + Duration::from_nanos(last) > over {
            // The server was not done yet when it seemed to be.
            after = processes.map(Processes::spent);
        }
        if let Some(why) = &arrivals.why {
            out::talk(&format!("{}: {} clients lost; one of them: {why}", self.system.name, arrivals.lost()));
        }
        let spent = after.zip(before).map(|(after, before)| after.since(&before));
        let figures = figures(&arrivals, begun, readers, spent, clients);
        self.crowd.arm().await.map_err(Failure::unexpected)?;
        self.server.all_wait(clients).await?;
        Ok(figures)
    }

    async fn kib_per_client(&self, clients: usize) -> Option<f64> {
        let processes = self.processes.as_ref()?;
        quiet(Some(processes), SystemTime::now()).await;
        let more = processes.resident_kib().saturating_sub(self.before_kib);
        Some(super::figures::rounded(more as f64 / clients as f64))
    }
}

fn figures(arrivals: &Arrivals, begun: SystemTime, readers: Readers, spent: Option<Duration>, clients: usize) -> Round {
    let begun = begun.duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = |nanos: u64| Duration::from_nanos(nanos).saturating_sub(begun);
    let mut arrived: Vec<Duration> = arrivals.arrived.iter().map(|(arrived, _)| since(*arrived)).collect();
    let mut read: Vec<Duration> = arrivals.arrived.iter().map(|(_, read)| since(*read)).collect();
    let mut at = |percent| percentile(&mut arrived, percent).map(ms);
    Round {
        first_ms: at(0),
        p50_ms: at(50),
        p99_ms: at(99),
        last_ms: at(100),
        read_p99_ms: percentile(&mut read, 99).map(ms).filter(|_| readers == Readers::Awake),
        lost: arrivals.lost(),
        cpu_us: spent.map(|spent| super::figures::rounded(spent.as_secs_f64() * 1e6 / clients as f64)),
    }
}
