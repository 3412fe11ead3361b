//! How long a base URL may take, how little it may send, and what it is shown.

use std::time::Duration;

use crate::credentials::Credentials;

/// The same for every exchange with every base URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For a name to be resolved, a connection made and TLS agreed on. Default 5 s.
    pub connect_within: Duration,
    /// From the connection to the last header of the answer. Default 10 s; a long-poll has its own.
    pub answer_within: Duration,
    /// The slowest body that is still read to its end.
    pub throughput: Throughput,
    /// What servers are shown and checked by. Default none: nobody is shown anything, and `https` base URLs are checked
    /// against the authorities of the operating system.
    pub credentials: Credentials,
}

/// The least that must arrive of a body: an average over each window of waiting for it.
///
/// Only the time in which we wait for the network counts, so a slow disk on our side is never taken for a slow mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throughput {
    /// Default 10 KiB; with 0, one byte in each window is enough.
    pub min_bytes_per_second: u64,
    /// Default 30 s. A body that ends within its first window is never too slow.
    pub window: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            connect_within: Duration::from_secs(5),
            answer_within: Duration::from_secs(10),
            throughput: Throughput::default(),
            credentials: Credentials::default(),
        }
    }
}

impl Default for Throughput {
    fn default() -> Self {
        Throughput { min_bytes_per_second: 10 * 1024, window: Duration::from_secs(30) }
    }
}
