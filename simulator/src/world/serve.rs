//! Gateways get pointers and objects, keep them, and give them.

use std::time::Duration;

use super::ask::ANSWER_WITHIN;
use super::enclose::Enclosed;
use super::wiring::Server;
use super::{Answer, Event, World};
use crate::clock::Moment;
use crate::followers::Follower;
use crate::gateway::Object;
use crate::network::Link;
use crate::traffic::{Cargo, Layer};

impl World<'_> {
    /// A pointer is at a gateway, which tells all who wait for it: other gateways at once, and agents when what is small is
    /// there too, but no later than after a moment.
    pub(super) fn post(&mut self, gateway: usize, region: usize, version: u32) {
        if self.gateways[gateway].slot(region).version >= version {
            return;
        }
        self.gateways[gateway].slot(region).version = version;
        if self.gateways[gateway].layer != Layer::Leaves {
            self.gateways[gateway].slot(region).tells_from = self.now;
            return self.notify(gateway, region);
        }
        let ready = self.pack(gateway, region, version);
        let tells_from = ready.min(self.now.after(PACKED_WITHIN));
        let slot = self.gateways[gateway].slot(region);
        (slot.tells_from, slot.encloses_from) = (tells_from, ready);
        let number = u32::try_from(gateway).expect("a topology has fewer gateways than that");
        self.queue.put(tells_from, Event::Notify(number));
    }

    pub(super) fn notify_agents(&mut self, gateway: usize) {
        if let Some(region) = self.gateways[gateway].region {
            self.notify(gateway, region);
        }
    }

    /// Tells all who are parked, one after the other.
    fn notify(&mut self, gateway: usize, region: usize) {
        let work = self.scenario.constants.notify.length().div_f64(self.scenario.constants.cores.value);
        for follower in self.gateways[gateway].slot(region).empty(&mut self.followers) {
            let at = self.gateways[gateway].works(self.now, self.now, work);
            self.answer_from_gateway(gateway, follower, at);
        }
    }

    /// Sends the pointer that the gateway has to one who does not have it, and with it what is small and new to him.
    pub(super) fn answer_from_gateway(&mut self, gateway: usize, follower: Follower, at: Moment) {
        let region = self.region_of(follower);
        let slot = self.gateways[gateway].slot(region);
        let (version, encloses_from) = (slot.version, slot.encloses_from);
        let layer = self.gateways[gateway].layer;
        let is_new = self.followers.held[follower as usize] != version;
        let have = self.line_number(follower).is_none().then(|| self.runs(follower)).flatten();
        let have = have.filter(|_| at >= encloses_from && is_new);
        let objects = have.map_or_else(Vec::new, |have| self.enclosed(region, Enclosed { version, have }));
        let mut bytes = self.pointer_bytes(region, version) + self.scenario.constants.head_bytes.whole();
        self.traffic.cargo(layer, Cargo::Pointer, 1, bytes);
        for object in &objects {
            let (cargo, size) = self.cargo(*object);
            self.traffic.cargo(layer, cargo, 1, size);
            bytes += size;
        }
        let length = self.scenario.constants.gateway_line.carries(bytes);
        let sent = self.gateways[gateway].sends(self.now, at, length);
        let (_, link) = self.server(follower);
        let answer = match have {
            Some(have) if !objects.is_empty() => Answer::Enclosing(Enclosed { version, have }),
            _ => Answer::Pointer(version),
        };
        self.reply(follower, answer, sent, link);
    }

    /// The bundle that an agent runs.
    fn runs(&self, agent: u32) -> Option<u16> {
        self.hosts.host(self.fleet.kin[agent as usize]).current().map(|runs| self.origin.number(&runs))
    }

    /// Gets what is small of every bundle that a pointer names, as a gateway does before anybody asks; says when all is there. What
    /// everyone began with it has had for long.
    fn pack(&mut self, gateway: usize, region: usize, version: u32) -> Moment {
        let bundles: Vec<u16> = self.named(region, version).filter(|bundle| *bundle > 0).collect();
        let mut ready = self.now;
        for to in bundles {
            let vouched = self.pull(gateway, Object::Manifest(to), self.now);
            let patches = self.small_patches(to).map(|patch| self.pull(gateway, patch, vouched));
            ready = patches.fold(ready.max(vouched), Moment::max);
        }
        ready
    }

    /// Gets something of a bundle for a gateway that is asked for it at `at`, once; says when it is there.
    pub(super) fn pull(&mut self, gateway: usize, object: Object, at: Moment) -> Moment {
        // The publisher's own has the bucket beside it.
        if gateway == 0 {
            return at;
        }
        if let Some(there) = self.gateways[gateway].objects.get(&object) {
            return at.max(*there);
        }
        let region = self.gateways[gateway].region.unwrap_or(0);
        let line = self.wiring.line_of(gateway, region);
        let (server, link) = self.wiring.line_server(line, 0);
        let mut asked = at;
        while self.network.loses() | self.network.loses() {
            asked = asked.after(ANSWER_WITHIN);
        }
        let there = self.give(server, link, object, asked);
        self.gateways[gateway].objects.insert(object, there);
        there
    }

    /// When an object that is asked for at `asked` is with whoever asks.
    pub(super) fn give(&mut self, server: Server, link: Link, object: Object, asked: Moment) -> Moment {
        let at = asked.after(self.network.way(link));
        let layer = self.layer(server);
        let (cargo, size) = self.cargo(object);
        let bytes = size + self.scenario.constants.head_bytes.whole();
        self.traffic.request(layer, at);
        self.traffic.cargo(layer, cargo, 1, bytes);
        let sent = match server {
            Server::Bucket => at,
            Server::Cache(cache) => {
                if self.caches[cache].objects.insert(object) {
                    self.give(Server::Bucket, Link::Wan, object, at)
                } else {
                    at
                }
            }
            Server::Gateway(gateway) => {
                let there = self.pull(gateway, object, at);
                let work = self.scenario.constants.request.length().div_f64(self.scenario.constants.cores.value);
                let ready = self.gateways[gateway].works(self.now, there, work);
                let length = self.scenario.constants.gateway_line.carries(bytes);
                self.gateways[gateway].sends(self.now, ready, length)
            }
        };
        sent.after(self.network.way(link))
    }

    /// What an object is, and how large.
    pub(super) fn cargo(&self, object: Object) -> (Cargo, u64) {
        let constants = &self.scenario.constants;
        match object {
            Object::Manifest(_) => (Cargo::Manifest, constants.manifest_bytes.whole()),
            Object::Patch { .. } => (Cargo::Patch, constants.patch_bytes.whole()),
            Object::Whole(_) => (Cargo::Whole, constants.whole_bytes.whole()),
        }
    }
}

/// How long a gateway lets agents wait for what would come along.
const PACKED_WITHIN: Duration = Duration::from_millis(250);
