//! `limits:` in `gateway.yaml`: how much of anything a gateway takes on.

use std::time::Duration;

use schema::time::Length;
use serde::Deserialize;

/// How much of anything a gateway takes on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at a time; 20,000 by default. Who comes beyond it gets 503. The process may open fewer files than
    /// that: see `ulimit -n`.
    pub connections: usize,
    /// Connections at a time from one IPv4 address or one IPv6 /64; 20,000 by default, because behind one NAT, or on one
    /// host, there may be a whole fleet. Lower it where agents have addresses of their own.
    pub connections_per_address: usize,
    /// How long a client may take to send the header of its request, counted from the connection or from the header's first
    /// byte. 10 s by default.
    pub header_deadline: Length,
    /// How long a connection is kept on which nothing is asked, counted from the answer before; never less than
    /// `header_deadline`. 135 s by default: longer than agents keep theirs, so that they are the ones who close.
    pub idle_deadline: Length,
    /// How long a long-poll is held at most, whatever the client prefers; 120 s by default.
    pub wait_max: Length,
    /// Agents whose last word is kept, counted for each app and region apart; 200,000 by default.
    pub ack_agents_max: usize,
    /// After how long of silence an agent that is behind is no longer counted; 7 days by default.
    pub agent_forgotten_after: Length,
    /// Memory for bundles, patches and manifests that were verified, which all who are sent one at a time share; 256 MiB by
    /// default. From a directory of this host, a bundle of more than an eighth of it is read from its file instead.
    pub blob_cache_bytes: u64,
    /// How many clients may be sent such a large file at a time; 256 by default. The others wait for some seconds, and are told
    /// by 503 to come back.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 20_000,
            connections_per_address: 20_000,
            header_deadline: Length(Duration::from_secs(10)),
            idle_deadline: Length(Duration::from_secs(135)),
            wait_max: Length(Duration::from_secs(120)),
            ack_agents_max: 200_000,
            agent_forgotten_after: Length(Duration::from_secs(7 * 24 * 3600)),
            blob_cache_bytes: 256 * 1024 * 1024,
            streams: 256,
        }
    }
}

impl Limits {
    /// The first of those that must not be zero and is: with none of that nothing could ever be served.
    pub(super) fn zero(&self) -> Option<&'static str> {
        let numbers = [
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
            ("ack_agents_max", self.ack_agents_max),
            ("streams", self.streams),
        ];
        let number = numbers.iter().find(|(_, number)| *number == 0).map(|(name, _)| *name);
        number.or_else(|| self.header_deadline.0.is_zero().then_some("header_deadline"))
    }
}
