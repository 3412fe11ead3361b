//! Who asks whom: the topology, spelt out.
//!
//! Gateway 0 is the publisher's own. After it come those beside it that others follow, and then those of each region. A *line* is what
//! one gateway asks of those above it about one region; lines are numbered, and follow like agents do.

use crate::gateway::Gateway;
use crate::network::Link;
use crate::scenario::Scenario;
use crate::topology::Edge;
use crate::traffic::Layer;

/// The topology, spelt out.
pub(crate) struct Wiring {
    edge: Edge,
    cdn: bool,
    regions: usize,
    lines: Vec<Line>,
}

/// What one gateway asks of those above it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) gateway: usize,
    pub(crate) region: usize,
}

/// Somebody who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Bucket,
    Cache(usize),
    Gateway(usize),
}

impl Wiring {
    pub(crate) fn new(scenario: &Scenario) -> Wiring {
        let (edge, cdn) = (scenario.topology.edge, scenario.topology.cdn);
        let regions = usize::from(scenario.regions);
        let mut wiring = Wiring { edge, cdn, regions, lines: Vec::new() };
        let roots = 1..1 + wiring.roots();
        let of_roots = roots.flat_map(|gateway| (0..regions).map(move |region| Line { gateway, region }));
        let (first, leaves) = (1 + wiring.roots(), wiring.leaves());
        let of_leaves = (0..regions * leaves).map(|leaf| Line { gateway: first + leaf, region: leaf / leaves });
        let lines = of_roots.chain(of_leaves).collect();
        wiring.lines = lines;
        wiring
    }

    fn roots(&self) -> usize {
        if let Edge::Tree { roots, .. } = self.edge { roots as usize } else { 0 }
    }

    fn leaves(&self) -> usize {
        self.edge.leaves() as usize
    }

    /// All gateways, as they are before anything happens.
    pub(crate) fn gateways(&self) -> Vec<Gateway> {
        let origin = std::iter::once(Gateway::new(Layer::Origin, None, self.regions));
        let roots = (0..self.roots()).map(|_| Gateway::new(Layer::Roots, None, self.regions));
        let leaves = (0..self.regions * self.leaves())
            .map(|leaf| Gateway::new(Layer::Leaves, Some(leaf / self.leaves()), self.regions));
        origin.chain(roots).chain(leaves).collect()
    }

    /// How many caches there are.
    pub(crate) fn caches(&self) -> usize {
        if self.cdn { self.regions } else { 0 }
    }

    pub(crate) fn lines(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn line(&self, line: usize) -> Line {
        self.lines[line]
    }

    /// The line of a gateway for a region. The publisher's own has none.
    pub(crate) fn line_of(&self, gateway: usize, region: usize) -> usize {
        match gateway.checked_sub(1 + self.roots()) {
            Some(leaf) => self.roots() * self.regions + leaf,
            None => (gateway - 1) * self.regions + region,
        }
    }

    fn is_root(&self, gateway: usize) -> bool {
        gateway <= self.roots()
    }

    /// How many base URLs an agent has.
    pub(crate) fn agent_bases(&self) -> usize {
        self.leaves().clamp(1, BASES_MAX)
    }

    /// How many a line has.
    pub(crate) fn line_bases(&self, line: usize) -> usize {
        let is_leaf = !self.is_root(self.lines[line].gateway);
        if is_leaf { self.roots().clamp(1, BASES_MAX) } else { 1 }
    }

    /// Whether those above hold a line's question until there is something new.
    pub(crate) fn line_waits(&self, line: usize) -> bool {
        matches!(self.line_server(line, 0).0, Server::Gateway(_))
    }

    /// Whom the agent of that place in its region asks, and over what.
    pub(crate) fn agent_server(&self, region: usize, place: u32, base: usize) -> (Server, Link) {
        match self.leaves() {
            0 if self.cdn => (Server::Cache(region), Link::Cdn),
            0 => (Server::Bucket, Link::Wan),
            leaves => {
                let leaf = (place as usize + base) % leaves;
                (Server::Gateway(1 + self.roots() + region * leaves + leaf), Link::Edge)
            }
        }
    }

    /// Whom a line asks, and over what.
    pub(crate) fn line_server(&self, line: usize, base: usize) -> (Server, Link) {
        let Line { gateway, region } = self.lines[line];
        let roots = self.roots();
        if roots > 0 && !self.is_root(gateway) {
            return (Server::Gateway(1 + (gateway + base) % roots), Link::Wan);
        }
        match (self.cdn, self.is_root(gateway)) {
            (true, true) => (Server::Cache(0), Link::Cdn),
            (true, false) => (Server::Cache(region), Link::Cdn),
            // Beside the publisher.
            (false, true) => (Server::Gateway(0), Link::Edge),
            (false, false) => (Server::Gateway(0), Link::Wan),
        }
    }

    /// Who takes what a gateway has to tell, and over what: whoever follows a CDN tells the publisher's own.
    pub(crate) fn told_by(&self, gateway: usize) -> (usize, Link) {
        match (self.roots(), self.is_root(gateway)) {
            (0, _) => (0, Link::Wan),
            (_, true) => (0, Link::Edge),
            (roots, false) => (1 + gateway % roots, Link::Wan),
        }
    }
}

/// Base URLs that somebody is given: a first choice, and two more for bad days.
const BASES_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants::Constants;
    use crate::latency::Latency;
    use crate::policy::PolicySource;

    fn wiring(topology: &str) -> Wiring {
        Wiring::new(&Scenario {
            agents: 100,
            regions: 3,
            topology: topology.parse().expect("a topology"),
            policy: PolicySource::Name("all-at-once".into()),
            latency: Latency::ZERO,
            loss: 0.0,
            commits: 1,
            fail_share: 0.0,
            seed: 1,
            constants: Constants::built_in(),
        })
    }

    #[test]
    fn every_gateway_finds_its_own_lines() {
        for topology in ["gateways:2", "tree:2/3", "tree:3/1+cdn"] {
            let wiring = wiring(topology);
            for line in 0..wiring.lines() {
                let Line { gateway, region } = wiring.line(line);
                assert_eq!(wiring.line_of(gateway, region), line, "{topology}");
            }
        }
    }

    #[test]
    fn everybody_asks_the_layer_above() {
        let tree = wiring("tree:2/3");
        assert_eq!((tree.gateways().len(), tree.lines()), (1 + 2 + 9, 2 * 3 + 9));
        assert_eq!(tree.line_server(0, 0), (Server::Gateway(0), Link::Edge));
        let asked: Vec<_> = (0..2).map(|base| tree.line_server(tree.line_of(3, 0), base).0).collect();
        assert_eq!(asked, [Server::Gateway(2), Server::Gateway(1)]);
        assert_eq!(tree.agent_server(2, 4, 1), (Server::Gateway(3 + 6 + 2), Link::Edge));
        let flat = wiring("gateways:2+cdn");
        assert_eq!((flat.line_server(5, 0), flat.told_by(6)), ((Server::Cache(2), Link::Cdn), (0, Link::Wan)));
        assert_eq!(wiring("direct").agent_server(1, 0, 0), (Server::Bucket, Link::Wan));
    }
}
