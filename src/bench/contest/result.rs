//! What a contest came to, for people and for programs.

use serde::Serialize;

use super::Settings;
use crate::bench::crowd::orders::Readers;
use crate::bench::figures::{Round, cell, over};
use crate::exit::{Failure, Outcome};
use crate::{out, table};

/// All figures of one run.
#[derive(Clone, Debug, Serialize)]
pub(in crate::bench) struct Measured {
    agents: u32,
    readers: Readers,
    /// Of the gateway's 99th percentile to the floor's, of their processor time, of medians each.
    arrival_p99_over_floor: Option<f64>,
    cpu_over_floor: Option<f64>,
    kib_per_agent: Option<f64>,
    /// By the gateway and the floor, in all rounds; what a peer loses stands with the peer.
    lost: u64,
    cores: usize,
    /// Processes that wanted to run at the end, on average over a minute.
    load: Option<f64>,
    systems: Vec<System>,
}

/// One server's figures.
#[derive(Clone, Debug, Serialize)]
pub(in crate::bench) struct System {
    pub(super) name: String,
    pub(super) medians: Round,
    p99_over_floor: Option<f64>,
    cpu_over_floor: Option<f64>,
    /// Resident memory for each client, in KiB: when all waited for the first time, and after the last round.
    pub(super) kib_first: Option<f64>,
    pub(super) kib_last: Option<f64>,
    pub(super) rounds: Vec<Round>,
}

impl System {
    pub(super) fn new(name: &str) -> System {
        System {
            name: name.to_owned(),
            medians: Round::default(),
            p99_over_floor: None,
            cpu_over_floor: None,
            kib_first: None,
            kib_last: None,
            rounds: Vec::new(),
        }
    }
}

impl Measured {
    pub(super) fn new(settings: &Settings, mut systems: Vec<System>) -> Measured {
        if let Some(floor) = systems.iter().find(|system| system.name == "floor").map(|floor| floor.medians.clone()) {
            for system in &mut systems {
                system.p99_over_floor = over(system.medians.p99_ms, floor.p99_ms);
                system.cpu_over_floor = over(system.medians.cpu_us, floor.cpu_us);
            }
        }
        let gateway = systems.iter().find(|system| system.name == "gateway");
        let ours = systems.iter().filter(|system| OURS.contains(&system.name.as_str()));
        Measured {
            agents: settings.agents,
            readers: settings.readers,
            arrival_p99_over_floor: gateway.and_then(|gateway| gateway.p99_over_floor),
            cpu_over_floor: gateway.and_then(|gateway| gateway.cpu_over_floor),
            kib_per_agent: gateway.and_then(|gateway| gateway.kib_last),
            lost: ours.map(|system| system.medians.lost).sum(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load: load(),
            systems,
        }
    }

    /// Prints the figures. Somebody whom we lost is a failure, whatever the figures are.
    pub(in crate::bench) fn tell(&self, json: bool) -> Outcome {
        if json {
            out::json(self)
        } else {
            self.print()
        }
        if self.lost > 0 {
            return Err(Failure::unexpected(format!("{} notifications were lost", self.lost)));
        }
        Ok(())
    }

    fn print(&self) {
        let header = [
            "SERVER", "FIRST ms", "P50 ms", "P99 ms", "/ FLOOR", "LAST ms", "READ P99", "CPU us", "/ FLOOR", "KiB",
            "LOST",
        ];
        let rows: Vec<Vec<String>> = self.systems.iter().map(row).collect();
        out::data(&table::lay_out(&header, &rows));
        let readers = match self.readers {
            Readers::Asleep => {
                "clients sleep while news arrive, and read the kernel's receive times afterwards: all of the machine is the server's"
            }
            Readers::Awake => "clients read while news arrive, and take processor time from the server",
        };
        let load = cell(self.load, 2);
        let Measured { agents, cores, .. } = self;
        out::data(&format!(
            "{agents} clients at each server, medians of {} rounds in turns, {cores} cores, load {load}; {readers}.",
            self.systems.first().map_or(0, |system| system.rounds.len()),
        ));
        out::data(
            "Times count from just before the change until the client's kernel has the whole answer; CPU is the server's for each client; KiB is resident memory for each waiting client.",
        );
    }
}

/// One round in one line.
pub(super) fn in_words(round: &Round) -> String {
    let Round { first_ms, p50_ms, p99_ms, last_ms, read_p99_ms, lost, cpu_us } = round;
    let [first, p50, p99, last] = [first_ms, p50_ms, p99_ms, last_ms].map(|figure| cell(*figure, 1));
    let (read, cpu) = (cell(*read_p99_ms, 1), cell(*cpu_us, 2));
    format!("first {first} ms, p50 {p50}, p99 {p99}, last {last}, read p99 {read}, cpu {cpu} us, lost {lost}")
}

fn row(system: &System) -> Vec<String> {
    let medians = &system.medians;
    vec![
        system.name.clone(),
        cell(medians.first_ms, 1),
        cell(medians.p50_ms, 1),
        cell(medians.p99_ms, 1),
        cell(system.p99_over_floor, 2),
        cell(medians.last_ms, 1),
        cell(medians.read_p99_ms, 1),
        cell(medians.cpu_us, 2),
        cell(system.cpu_over_floor, 2),
        cell(system.kib_last, 2),
        medians.lost.to_string(),
    ]
}

fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// The systems that are of this program.
const OURS: [&str; 2] = ["gateway", "floor"];

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Bench {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn what_a_peer_loses_is_not_ours_and_what_we_lose_is_a_failure() {
        let settings = Bench::parse_from(["bench", "--json"]).settings;
        let lost = |gateway, nats| {
            let system = |name: &str, lost| System { medians: Round { lost, ..Round::default() }, ..System::new(name) };
            Measured::new(&settings, vec![system("gateway", gateway), system("floor", 0), system("nats", nats)])
        };
        assert_eq!((lost(0, 3).lost, lost(2, 3).lost), (0, 2));
        assert!(lost(0, 3).tell(settings.json).is_ok() && lost(2, 3).tell(settings.json).is_err());
    }
}
