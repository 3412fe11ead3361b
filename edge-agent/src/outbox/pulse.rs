//! Says the last words again: how a gateway that was started anew, and gates behind it, know that an agent is there.
//!
//! In: what is said, and when nobody answers, or somebody answers again. Out: when to say it again, and what. Nothing here is durable: what was said
//! last is in the journals.
//!
//! Who answers again after an outage may answer nothing for as long as a poll is held. So a word that is sent until it is answered is
//! how an agent finds out, and how it is found.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use schema::{Ack, App};
use tokio::time::{Instant, sleep_until};

use super::standing::Standing;
use crate::apply::clock;
use crate::backoff::around;

/// The last word about each app, and when to say them all again.
#[derive(Debug)]
pub(super) struct Pulse {
    every: Duration,
    /// How often where nobody takes acks: somebody may come to do so.
    seldom: Duration,
    due: Instant,
    words: BTreeMap<App, Ack>,
}

impl Pulse {
    pub(super) fn new(every: Duration, seldom: Duration) -> Pulse {
        // Anywhere in the first period, so that a fleet that was started together does not speak together.
        let due = Instant::now() + every.mul_f64(fastrand::f64());
        Pulse { every, seldom: seldom.max(every), due, words: BTreeMap::new() }
    }

    /// Takes note of what is said now.
    pub(super) fn said(&mut self, ack: &Ack) {
        self.words.insert(ack.app.clone(), ack.clone());
    }

    /// Takes note of what an earlier run of the agent said last. It is dated anew: of two runs of an agent, whoever hears both
    /// tells by the time which came later.
    pub(super) fn recall(&mut self, ack: Ack) {
        let at = clock().max(ack.at.after(MILLISECOND));
        self.words.entry(ack.app.clone()).or_insert(Ack { at, ..ack });
    }

    /// Somebody may have lost his memory: everything is to be said again soon, and this says when.
    pub(super) fn soon(&mut self) -> Instant {
        let soon = Instant::now() + SOON.min(self.every).mul_f64(fastrand::f64());
        self.due = self.due.min(soon);
        soon
    }

    /// Ends when it is time.
    pub(super) async fn due(&self) {
        if self.words.is_empty() { pending().await } else { sleep_until(self.due).await }
    }

    /// What to say again now; it is due again after a while.
    pub(super) fn beat(&mut self, standing: Standing) -> Vec<Ack> {
        let every = if standing == Standing::NobodyTakesAcks { self.seldom } else { self.every };
        self.due = Instant::now() + around(every);
        self.words.values().cloned().collect()
    }
}

/// Within that time all who lost the same gateway speak to it again.
const SOON: Duration = Duration::from_secs(2);
const MILLISECOND: Duration = Duration::from_millis(1);
