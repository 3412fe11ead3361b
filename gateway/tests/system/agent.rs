//! An agent as far as a gateway knows one: a name, a key, and what it says.

use std::collections::BTreeMap;
use std::time::Duration;

use schema::ack::{Boot, SignedAck, Step};
use schema::keys::SecretKey;
use schema::{Ack, AckBatch, AgentId, Outcome, Pointer, Timestamp, Verified};

use crate::publication::{name, now};

/// An agent, in one of its runs.
pub(crate) struct Agent {
    pub(crate) name: AgentId,
    pub(crate) key: SecretKey,
    boot: Boot,
    said: u64,
}

impl Agent {
    pub(crate) fn new(agent: &str) -> Agent {
        Agent { name: name(agent), key: SecretKey::generate(), boot: Boot::new(1), said: 0 }
    }

    /// What it says about the bundle of `pointer`: nothing is signed yet.
    pub(crate) fn ack(&self, pointer: &Verified<Pointer>, outcome: Outcome) -> Ack {
        let applied = outcome == Outcome::Applied;
        Ack {
            agent: self.name.clone(),
            app: pointer.app.clone(),
            region: pointer.region.clone(),
            epoch: pointer.epoch,
            generation: pointer.generation,
            attempted: pointer.stable.digest,
            outcome,
            active: None,
            previous: None,
            notified_at: now(),
            at: now(),
            bundle_bytes: 0,
            step: (!applied).then_some(Step::Disk),
            reason: (!applied).then(|| "disk full".into()),
            labels: BTreeMap::new(),
            failures: 0,
        }
    }

    /// A body with these acks.
    pub(crate) fn seal(&mut self, acks: impl IntoIterator<Item = Ack>) -> Vec<u8> {
        let signed: Vec<SignedAck> = acks.into_iter().map(|ack| self.number(ack)).collect();
        AckBatch::seal(signed, &self.key)
    }

    /// A body that says one thing.
    pub(crate) fn says(&mut self, pointer: &Verified<Pointer>, outcome: Outcome) -> Vec<u8> {
        let ack = self.ack(pointer, outcome);
        self.seal([ack])
    }

    pub(crate) fn applied(&mut self, pointer: &Verified<Pointer>) -> Vec<u8> {
        self.says(pointer, Outcome::Applied)
    }

    /// A body that says `ack`, once more or for the first time.
    pub(crate) fn again(&mut self, ack: &Ack) -> Vec<u8> {
        self.seal([ack.clone()])
    }

    /// Starts it anew, with the same key.
    pub(crate) fn restart(&mut self) {
        self.boot = Boot::new(fastrand::u128(..));
        self.said = 0;
    }

    fn number(&mut self, ack: Ack) -> SignedAck {
        self.said += 1;
        SignedAck { boot: self.boot, n: self.said, ack }
    }
}

/// A moment that long after now.
pub(crate) fn in_a_while(millis: u64) -> Timestamp {
    now().after(Duration::from_millis(millis))
}
