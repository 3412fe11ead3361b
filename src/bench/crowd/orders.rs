//! What a bench says to the processes that hold its clients, and what they answer: one line of JSON each.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bench::script::Script;

/// The first line: whom to connect to, as how many.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) server: SocketAddr,
    /// The certificate that the server must prove itself by; without one nothing is encrypted.
    pub(crate) tls: Option<Trusted>,
    pub(crate) script: Script,
    /// One address for each client to come from; or none, and the system chooses.
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) clients: usize,
    /// The number of the first of them.
    pub(crate) first: usize,
    /// Connections to open in a second, at most.
    pub(crate) pace: u32,
}

/// How a server proves that it is the one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Trusted {
    /// Certificates of authorities (PEM).
    pub(crate) authorities: PathBuf,
    /// The name in the server's certificate.
    pub(crate) name: String,
}

/// What to do next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Everybody asks again, and who has no connection makes one.
    Arm,
    /// News come next, of that generation. Answered before they do.
    Expect { generation: u64, readers: Readers },
    /// Reads what has come, and waits that long for the rest.
    Read { patience_ms: u64 },
    /// From now on who is cut off comes back by itself, after waits like an agent's.
    Roam,
}

/// What clients do while news arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Readers {
    /// Nothing: the kernel notes when bytes come, and they are read when all is over
    Asleep,
    /// Each reads as soon as it can, and takes the server's processor time for it
    Awake,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// To the plan and to [`Order::Arm`]: clients that wait for news, and the others, with what went wrong with one of them.
    Armed { waiting: usize, dead: usize, why: Option<String> },
    /// To [`Order::Expect`] and [`Order::Roam`].
    Ready,
    /// To [`Order::Read`].
    Arrived(Arrivals),
}

/// What came of one round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Arrivals {
    /// For each client that got the news: when its kernel had them, and when it had read them, in nanoseconds since the epoch.
    pub(crate) arrived: Vec<(u64, u64)>,
    /// Clients that got something else, lost their connection, or got nothing.
    pub(crate) wrong: u64,
    pub(crate) broken: u64,
    pub(crate) silent: u64,
    /// What went wrong with one of them.
    pub(crate) why: Option<String>,
}

impl Arrivals {
    /// Clients that did not get the news.
    pub(crate) fn lost(&self) -> u64 {
        self.wrong + self.broken + self.silent
    }

    /// Both together.
    pub(crate) fn and(mut self, other: Arrivals) -> Arrivals {
        self.arrived.extend(other.arrived);
        Arrivals {
            arrived: self.arrived,
            wrong: self.wrong + other.wrong,
            broken: self.broken + other.broken,
            silent: self.silent + other.silent,
            why: self.why.or(other.why),
        }
    }
}
