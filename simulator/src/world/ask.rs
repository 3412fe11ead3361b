//! Followers ask, and are answered: agents for their region's pointer, gateways for those they serve.

use std::time::Duration;

use follower::schedule::Event as Became;
use schema::succession::succeed;
use schema::{Limits, Seen};

use super::enclose::Enclosed;
use super::wiring::Server;
use super::{Answer, Event, World};
use crate::clock::Moment;
use crate::followers::{Follower, of_agents};
use crate::network::Link;
use crate::traffic::{Cargo, Layer};

impl World<'_> {
    /// Whom the follower's schedule says to ask, and over what.
    pub(super) fn server(&self, follower: Follower) -> (Server, Link) {
        let base = self.followers.schedules[follower as usize].step().base;
        match self.line_number(follower) {
            None => self.agent_server(follower, base),
            Some(line) => self.wiring.line_server(line, base),
        }
    }

    pub(super) fn agent_server(&self, agent: u32, base: usize) -> (Server, Link) {
        self.wiring.agent_server(self.region_of(agent), self.fleet.place(agent), base)
    }

    pub(super) fn region_of(&self, follower: Follower) -> usize {
        match self.line_number(follower) {
            None => usize::from(self.fleet.region[follower as usize]),
            Some(line) => self.wiring.line(line).region,
        }
    }

    /// The number of the gateway's line that a follower is, unless it is an agent.
    pub(super) fn line_number(&self, follower: Follower) -> Option<usize> {
        follower.checked_sub(self.fleet.len()).map(|line| line as usize)
    }

    pub(super) fn layer(&self, server: Server) -> Layer {
        match server {
            Server::Bucket => Layer::Origin,
            Server::Cache(_) => Layer::Cdn,
            Server::Gateway(gateway) => self.gateways[gateway].layer,
        }
    }

    /// Whether the follower has a validator to wait with at whom it asks.
    fn may_wait(&self, follower: Follower) -> bool {
        let base = self.followers.schedules[follower as usize].step().base;
        self.followers.validated[follower as usize] & (1 << base) != 0
    }

    pub(super) fn ask(&mut self, follower: Follower) {
        let place = follower as usize;
        self.followers.asked[place] = self.now;
        self.followers.question[place] += 1;
        if self.network.loses() {
            return self.is_lost(follower);
        }
        let (_, link) = self.server(follower);
        let at = self.now.after(self.network.way(link));
        self.queue.put(at, Event::Arrive(follower));
    }

    /// Nothing comes back: the follower finds out when its patience is over.
    fn is_lost(&mut self, follower: Follower) {
        let patience = if self.may_wait(follower) { of_agents().wait + GRACE } else { ANSWER_WITHIN };
        let at = self.followers.asked[follower as usize].after(patience);
        self.queue.put(at, Event::Answer(follower, Answer::Nothing));
    }

    pub(super) fn arrive(&mut self, follower: Follower) {
        let (server, _) = self.server(follower);
        let region = self.region_of(follower);
        let layer = self.layer(server);
        self.traffic.request(layer, self.now);
        match server {
            Server::Bucket => {
                let version = self.origin.stored(region);
                self.answer_plain(follower, version);
            }
            Server::Cache(cache) => self.ask_cache(follower, cache, region),
            Server::Gateway(gateway) => {
                let work = self.scenario.constants.request.length().div_f64(self.scenario.constants.cores.value);
                let at = self.gateways[gateway].works(self.now, self.now, work);
                let may_wait = self.may_wait(follower);
                let slot = self.gateways[gateway].slot(region);
                if may_wait && slot.version == self.followers.held[follower as usize] {
                    slot.park(follower, &mut self.followers);
                    let question = self.followers.question[follower as usize];
                    self.queue.put(self.now.after(of_agents().wait), Event::Expire(follower, question));
                } else {
                    let at = at.max(slot.tells_from);
                    self.answer_from_gateway(gateway, follower, at);
                }
            }
        }
    }

    /// A bucket or a cache has no validators to rely on: it sends the pointer every time.
    fn answer_plain(&mut self, follower: Follower, version: u32) {
        let (server, link) = self.server(follower);
        let bytes = self.pointer_bytes(self.region_of(follower), version) + self.scenario.constants.head_bytes.whole();
        let layer = self.layer(server);
        self.traffic.cargo(layer, Cargo::Pointer, 1, bytes);
        self.reply(follower, Answer::Pointer(version), self.now, link);
    }

    fn ask_cache(&mut self, follower: Follower, cache: usize, region: usize) {
        let ttl = self.scenario.constants.cdn_ttl.length();
        let page = self.caches[cache].page(region);
        let (is_asking, is_fresh) = (!page.waiting.is_empty(), self.now.since(page.checked) < ttl);
        if is_fresh && !is_asking {
            let version = page.version;
            return self.answer_plain(follower, version);
        }
        page.waiting.push(follower);
        if !is_asking {
            let page = u32::try_from(cache * self.origin.regions() + region).expect("there are few pages");
            let at = self.now.after(self.network.way(Link::Wan));
            self.queue.put(at, Event::CacheAsks(page));
        }
    }

    pub(super) fn cache_asks(&mut self, page: u32) {
        let region = page as usize % self.origin.regions();
        let version = self.origin.stored(region);
        self.traffic.request(Layer::Origin, self.now);
        let bytes = self.pointer_bytes(region, version) + self.scenario.constants.head_bytes.whole();
        self.traffic.cargo(Layer::Origin, Cargo::Pointer, 1, bytes);
        let at = self.now.after(self.network.way(Link::Wan));
        self.queue.put(at, Event::CacheHears(page, version));
    }

    pub(super) fn cache_hears(&mut self, page: u32, version: u32) {
        let (cache, region) = (page as usize / self.origin.regions(), page as usize % self.origin.regions());
        let page = self.caches[cache].page(region);
        (page.version, page.checked) = (version, self.now);
        for follower in std::mem::take(&mut page.waiting) {
            self.answer_plain(follower, version);
        }
    }

    pub(super) fn expire(&mut self, follower: Follower, question: u32) {
        if self.followers.question[follower as usize] != question {
            return;
        }
        let (server, link) = self.server(follower);
        let Server::Gateway(gateway) = server else { return };
        let region = self.region_of(follower);
        let slot = self.gateways[gateway].slot(region);
        if slot.release(follower, &mut self.followers) {
            let bytes = self.scenario.constants.head_bytes.whole();
            let layer = self.gateways[gateway].layer;
            self.traffic.cargo(layer, Cargo::Nothing, 1, bytes);
            self.reply(follower, Answer::Unchanged, self.now, link);
        }
    }

    /// Sends an answer that is ready at `at`.
    pub(super) fn reply(&mut self, follower: Follower, answer: Answer, at: Moment, link: Link) {
        if self.network.loses() {
            return self.is_lost(follower);
        }
        let at = at.after(self.network.way(link));
        self.queue.put(at, Event::Answer(follower, answer));
    }

    pub(super) fn pointer_bytes(&self, region: usize, version: u32) -> u64 {
        self.origin.pointer(region, version).bytes().len() as u64
    }

    /// What a real follower makes of an answer, and when it asks again.
    pub(super) fn hear(&mut self, follower: Follower, answer: Answer) {
        let place = follower as usize;
        let (server, _) = self.server(follower);
        let waits = matches!(server, Server::Gateway(_));
        let base = self.followers.schedules[place].step().base;
        let took = self.now.since(self.followers.asked[place]);
        let mut is_news = false;
        let became = match answer {
            Answer::Nothing => Became::Failed { retry_after: None },
            Answer::Unchanged => Became::Unchanged { waits, took },
            Answer::Pointer(version) | Answer::Enclosing(Enclosed { version, .. })
                if version == self.followers.held[place] =>
            {
                let introduced = waits && self.followers.validated[place] & (1 << base) == 0;
                self.followers.validated[place] |= u8::from(waits) << base;
                if introduced { Became::CaughtUp } else { Became::Unchanged { waits, took } }
            }
            Answer::Pointer(version) | Answer::Enclosing(Enclosed { version, .. }) => {
                match self.take(follower, version) {
                    Taken::Accepted => {
                        is_news = true;
                        if let Answer::Enclosing(enclosed) = answer {
                            self.fleet.enclosed[place] = enclosed;
                        }
                        self.followers.validated[place] = u8::from(waits) << base;
                        if waits { Became::CaughtUp } else { Became::Unchanged { waits, took: Duration::ZERO } }
                    }
                    Taken::Refused => Became::Failed { retry_after: None },
                }
            }
        };
        let now = self.dial.instant(self.now);
        let step = self.followers.schedules[place].next_step(became, now, &mut self.network.rng);
        self.decisions.schedule += 1;
        let at = self.dial.moment(step.at);
        self.queue.put(at, Event::Ask(follower));
        match self.line_number(follower) {
            None if is_news => self.accept(follower),
            Some(line) if is_news => {
                let (gateway, version) = (self.wiring.line(line).gateway, self.followers.held[place]);
                self.post(gateway, self.region_of(follower), version);
            }
            _ => {}
        }
    }

    /// Whether a pointer may take the place of the one that the follower holds, by the rules that agents and gateways share.
    fn take(&mut self, follower: Follower, version: u32) -> Taken {
        let region = self.region_of(follower);
        let place = follower as usize;
        let offered = self.origin.pointer(region, version);
        let seen = match self.line_number(follower) {
            None => self.hosts.host(self.fleet.kin[place]).seen().copied(),
            Some(_) => Some(Seen::of(self.origin.pointer(region, self.followers.held[place]))),
        };
        let expected = (&self.origin.app, self.origin.region(region));
        self.decisions.succession += 1;
        if succeed(seen.as_ref(), offered, expected, self.origin.root.epoch, &Limits::DEFAULT).is_err() {
            return Taken::Refused;
        }
        self.followers.held[place] = version;
        Taken::Accepted
    }
}

/// What becomes of a pointer that is offered.
enum Taken {
    Accepted,
    Refused,
}

/// How long a follower waits for an answer that nobody holds.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How much longer it waits for one that is held than it asked for.
const GRACE: Duration = Duration::from_secs(15);
