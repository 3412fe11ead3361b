//! Sends acks until they are answered.
//!
//! In: acks that are durable, from all apps. Out: batches to `POST v1/acks`, and word of what was answered to whoever asked. Of
//! one generation only the newest ack is kept, and of one app only as many as its journal keeps. What is not answered when the agent stops is in the journals, and sent again.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use follower::{Failures, Fault, Mirrors, PostError, Reason};
use schema::{Ack, AckBatch, App, Epoch, Generation, Limits};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::backoff::Backoff;
use crate::journal::REMEMBERED_MAX;

/// An ack on its way.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) ack: Ack,
    /// Who is to hear that it was answered.
    pub(crate) answered: mpsc::UnboundedSender<Ack>,
}

/// What an ack is about.
type About = (App, Epoch, Generation);

struct Outbox {
    mirrors: Mirrors,
    waiting: BTreeMap<About, Delivery>,
    backoff: Backoff,
    /// Not before this.
    next_try: Instant,
    /// How many acks go into one batch: fewer after a refusal, to find the one that is at fault.
    batch_max: usize,
    trouble: Trouble,
}

/// What was logged, so that it is logged once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    NobodyAnswers,
    NobodyTakesAcks,
}

/// Runs until `shutdown`, or until nobody can send acks any more.
pub(crate) async fn run(
    mirrors: Mirrors,
    rhythm: Duration,
    mut incoming: mpsc::UnboundedReceiver<Delivery>,
    shutdown: CancellationToken,
) {
    let mut outbox = Outbox::new(mirrors, rhythm);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            delivery = incoming.recv() => match delivery {
                Some(delivery) => outbox.put(delivery),
                None => return,
            },
            () = outbox.due() => {
                while let Ok(delivery) = incoming.try_recv() {
                    outbox.put(delivery);
                }
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = outbox.send() => {}
                }
            }
        }
    }
}

impl Outbox {
    fn new(mirrors: Mirrors, rhythm: Duration) -> Outbox {
        Outbox {
            mirrors,
            waiting: BTreeMap::new(),
            backoff: Backoff::new(rhythm),
            next_try: Instant::now(),
            batch_max: Limits::DEFAULT.acks_per_batch_max,
            trouble: Trouble::None,
        }
    }

    fn put(&mut self, delivery: Delivery) {
        let ack = &delivery.ack;
        let app = ack.app.clone();
        self.waiting.insert((app.clone(), ack.epoch, ack.generation), delivery);
        let of_app = || self.waiting.keys().filter(|about| about.0 == app);
        if of_app().count() > REMEMBERED_MAX
            && let Some(oldest) = of_app().next().cloned()
        {
            // The journal has forgotten it too.
            self.waiting.remove(&oldest);
        }
    }

    async fn due(&self) {
        if self.waiting.is_empty() { pending().await } else { sleep_until(self.next_try).await }
    }

    async fn send(&mut self) {
        let batch: Vec<Ack> = self.waiting.values().take(self.batch_max).map(|delivery| delivery.ack.clone()).collect();
        let body = Bytes::from(AckBatch::new(batch.clone()).to_json());
        match self.mirrors.post(PATH, body, ANSWER_MAX_BYTES).await {
            Ok(_) => {
                self.note(Trouble::None);
                self.done(&batch);
            }
            Err(PostError::Refused { status, base, .. }) if batch.len() == 1 => {
                // It would be refused for ever, and hold up all the others.
                error!(%status, %base, generation = %batch[0].generation, app = %batch[0].app, "An ack was refused and is dropped");
                self.done(&batch);
            }
            Err(PostError::Refused { .. }) => self.batch_max = 1,
            Err(PostError::Unavailable { failures, .. }) if nobody_takes_acks(&failures) => {
                if self.note(Trouble::NobodyTakesAcks) {
                    info!("Nobody takes acks, so none are sent; the base URLs only serve files");
                }
                self.done(&batch);
            }
            Err(failed) => {
                if self.note(Trouble::NobodyAnswers) {
                    warn!("Acks are kept and sent again later: {failed}");
                }
                self.next_try = Instant::now() + self.backoff.failed();
            }
        }
    }

    /// Takes the batch off the list, except for what a newer ack replaced meanwhile, and passes the word on.
    fn done(&mut self, batch: &[Ack]) {
        self.backoff.forget();
        if self.batch_max > 1 || self.waiting.len() <= batch.len() {
            self.batch_max = Limits::DEFAULT.acks_per_batch_max;
        }
        for ack in batch {
            let about = (ack.app.clone(), ack.epoch, ack.generation);
            if let Some(delivery) = self.waiting.get(&about).filter(|delivery| delivery.ack.at == ack.at) {
                // Whoever no longer listens finds the ack in the journal, and sends it again.
                let _ = delivery.answered.send(ack.clone());
                self.waiting.remove(&about);
            }
        }
    }

    /// Notes how things stand; true if that is news.
    fn note(&mut self, trouble: Trouble) -> bool {
        let news = self.trouble != trouble;
        self.trouble = trouble;
        news
    }
}

/// Whether everybody who was asked only serves files: there will never be an answer.
fn nobody_takes_acks(failures: &Failures) -> bool {
    let serves_files = |reason: &Reason| match reason {
        Reason::Fault(Fault::Absent) => true,
        Reason::Fault(Fault::Status { status, .. }) => matches!(status.as_u16(), 405 | 501),
        _ => false,
    };
    !failures.is_empty() && failures.iter().all(|failure| serves_files(&failure.reason))
}

const PATH: &str = "v1/acks";
const ANSWER_MAX_BYTES: u64 = 4 * 1024;

#[cfg(test)]
mod tests {
    use schema::Outcome;

    use super::*;
    use crate::journal::tests::ack;

    #[tokio::test]
    async fn a_host_that_nobody_answers_keeps_the_newest_acks_and_not_more() {
        let bases = vec!["http://127.0.0.1:1/".parse().expect("a base URL")];
        let mirrors = Mirrors::new(bases, follower::Settings::default()).expect("one base URL");
        let mut outbox = Outbox::new(mirrors, Duration::from_secs(10));
        let (answered, _) = mpsc::unbounded_channel();
        for generation in 1..=REMEMBERED_MAX as u64 + 5 {
            let ack = ack(generation, 1, Outcome::Applied, None);
            outbox.put(Delivery { ack, answered: answered.clone() });
        }
        let kept: Vec<u64> = outbox.waiting.keys().map(|(_, _, generation)| generation.number()).collect();
        assert_eq!(kept, (6..=REMEMBERED_MAX as u64 + 5).collect::<Vec<_>>());
    }
}
