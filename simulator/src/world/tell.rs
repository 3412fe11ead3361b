//! What agents say travels up: to their gateway, from gateway to gateway in parcels, to the publisher's book.

use std::time::Duration;

use edge_agent::backoff::Backoff;
use schema::ack::Relay;

use super::ask::ANSWER_WITHIN;
use super::wiring::Server;
use super::{Event, World};
use crate::clock::Moment;
use crate::controller::Word;
use crate::followers::of_agents;
use crate::network::Link;

impl World<'_> {
    /// An agent says something, and goes on saying it until it is answered.
    pub(super) fn tell(&mut self, agent: u32, word: Word) {
        let number = match self.word_numbers.get(&word) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.words.len()).expect("there are fewer words than that");
                self.words.push(word);
                self.word_numbers.insert(word, number);
                number
            }
        };
        self.unheard += 1;
        let (_, link) = self.taker(agent);
        let mut backoff = Backoff::new(of_agents().poll);
        let mut sent = self.now;
        while self.network.loses() | self.network.loses() {
            self.decisions.backoff += 1;
            sent = sent.after(ANSWER_WITHIN + backoff.failed());
        }
        let spoke = &mut self.fleet.spoke[agent as usize];
        *spoke = sent.after(self.network.way(link)).max(*spoke);
        self.queue.put(*spoke, Event::Said(agent, number));
    }

    /// The gateway that takes what an agent says: its first, or where it has none, the publisher's own.
    fn taker(&self, agent: u32) -> (usize, Link) {
        match self.agent_server(agent, 0) {
            (Server::Gateway(gateway), link) => (gateway, link),
            _ => (0, Link::Wan),
        }
    }

    pub(super) fn said(&mut self, agent: u32, word: u32) {
        let (gateway, _) = self.taker(agent);
        let at = self.check_acks(gateway, 1);
        if gateway == 0 {
            self.queue.put(at, Event::Counted(agent, word));
        } else {
            self.gather(gateway, &[(agent, word)]);
        }
    }

    /// When a gateway has checked that many acks that came in one request.
    fn check_acks(&mut self, gateway: usize, acks: usize) -> Moment {
        let constants = &self.scenario.constants;
        let number = u32::try_from(acks).expect("a parcel is bounded");
        let bytes = constants.ack_bytes.whole() * u64::from(number);
        let work = constants.ack.length() * number + constants.request.length();
        let work = work.div_f64(constants.cores.value);
        let layer = self.gateways[gateway].layer;
        self.traffic.acks(layer, self.now, number, bytes);
        self.gateways[gateway].counts(self.now, work)
    }

    fn gather(&mut self, gateway: usize, acks: &[(u32, u32)]) {
        let outbox = &mut self.gateways[gateway].outbox;
        let is_first = outbox.is_empty();
        outbox.extend_from_slice(acks);
        if is_first {
            let at = self.now.after(GATHER.mul_f64(0.5 + self.network.rng.f64()));
            let number = u32::try_from(gateway).expect("a topology has fewer gateways than that");
            self.queue.put(at, Event::Flush(number));
        }
    }

    /// Sends along what was gathered, a parcel at a time, each when the one before was answered.
    pub(super) fn flush(&mut self, gateway: usize) {
        let gathered = std::mem::take(&mut self.gateways[gateway].outbox);
        let (above, link) = self.wiring.told_by(gateway);
        let by_bytes = usize::try_from(Relay::MAX_BYTES / self.scenario.constants.ack_bytes.whole()).unwrap_or(1);
        let mut sent = self.now;
        for parcel in gathered.chunks(by_bytes.clamp(1, Relay::PARTS_MAX)) {
            while self.network.loses() | self.network.loses() {
                sent = sent.after(ANSWER_WITHIN);
            }
            let there = sent.after(self.network.way(link));
            sent = there.after(self.network.way(link));
            let number = u32::try_from(self.parcels.len()).expect("a run has fewer parcels than that");
            self.parcels.push(parcel.to_vec());
            let above = u32::try_from(above).expect("a topology has fewer gateways than that");
            self.queue.put(there, Event::Parcel(above, number));
        }
    }

    pub(super) fn parcel(&mut self, gateway: usize, number: u32) {
        let acks = self.parcels[number as usize].len();
        let at = self.check_acks(gateway, acks);
        if gateway == 0 {
            return self.queue.put(at, Event::CountedAll(number));
        }
        let parcel = std::mem::take(&mut self.parcels[number as usize]);
        self.gather(gateway, &parcel);
    }

    /// The publisher's book has it.
    pub(super) fn counted(&mut self, acks: &[(u32, u32)]) {
        for (agent, word) in acks {
            let word = self.words[*word as usize];
            self.controller.hear(&self.origin, self.fleet.place(*agent), &word, self.now);
        }
        self.unheard -= acks.len() as u64;
        if self.controller.state().is_some_and(|state| !state.is_over()) {
            let at = self.controller.answers_at(self.now);
            self.want_turn(at);
        }
    }
}

/// How long a gateway waits for more to send along.
const GATHER: Duration = Duration::from_millis(150);
