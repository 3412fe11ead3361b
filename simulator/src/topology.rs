//! What stands between the publisher and the agents.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// What stands between the publisher and the agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Who holds the agents' polls.
    pub edge: Edge,
    /// Whether a CDN, with a cache in each region, stands in front of the bucket.
    pub cdn: bool,
}

/// Who the agents ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Nobody holds polls: the agents ask a bucket, or the CDN in front of it, again and again.
    Direct,
    /// That many gateways in each region, all of which follow the publisher's own.
    Gateways {
        /// In each region.
        leaves: u32,
    },
    /// That many gateways beside the publisher, which follow it, and that many in each region, which follow those.
    Tree {
        /// In all.
        roots: u32,
        /// In each region.
        leaves: u32,
    },
}

/// Says that a text names no topology.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no topology; write direct, gateways:N or tree:ROOTS/N, where N gateways stand in each region, and +cdn behind it for a CDN in front of the bucket", offered.escape_debug())]
pub struct InvalidTopology {
    offered: String,
}

impl Edge {
    /// How many gateways there are in each region.
    pub fn leaves(self) -> u32 {
        match self {
            Edge::Direct => 0,
            Edge::Gateways { leaves } | Edge::Tree { leaves, .. } => leaves,
        }
    }
}

impl FromStr for Topology {
    type Err = InvalidTopology;

    fn from_str(text: &str) -> Result<Topology, InvalidTopology> {
        let (rest, cdn) = text.strip_suffix("+cdn").map_or((text, false), |rest| (rest, true));
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| (1..=1000).contains(number));
        let edge = match rest.split_once(':') {
            None if rest == "direct" => Some(Edge::Direct),
            Some(("gateways", leaves)) => number(leaves).map(|leaves| Edge::Gateways { leaves }),
            Some(("tree", numbers)) => numbers
                .split_once('/')
                .and_then(|(roots, leaves)| Some(Edge::Tree { roots: number(roots)?, leaves: number(leaves)? })),
            _ => None,
        };
        edge.map(|edge| Topology { edge, cdn }).ok_or_else(|| InvalidTopology { offered: text.to_owned() })
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.edge {
            Edge::Direct => write!(f, "direct"),
            Edge::Gateways { leaves } => write!(f, "gateways:{leaves}"),
            Edge::Tree { roots, leaves } => write!(f, "tree:{roots}/{leaves}"),
        }?;
        if self.cdn { write!(f, "+cdn") } else { Ok(()) }
    }
}

impl Serialize for Topology {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topologies_are_read_as_they_are_written() {
        for text in ["direct", "direct+cdn", "gateways:2", "gateways:40+cdn", "tree:2/3", "tree:2/3+cdn"] {
            assert_eq!(text.parse::<Topology>().map(|topology| topology.to_string()), Ok(text.to_owned()));
        }
        for text in
            ["", "cdn", "gateways", "gateways:0", "gateways:-1", "tree:2", "tree:0/1", "direct:1", "direct+cdn+cdn"]
        {
            assert!(text.parse::<Topology>().is_err(), "{text}");
        }
    }
}
