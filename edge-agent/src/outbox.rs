//! Sends acks until they are answered.
//!
//! In: acks that are durable, from all apps. Out: signed batches to `POST v1/acks`, and word of what was answered to whoever
//! asked. Of one generation only the newest ack is kept, and of one app only as many as its journal keeps. What is not
//! answered when the agent stops is in the journals, and sent again.
//!
//! No refusal makes an ack go away: whoever refuses it may be lying, or not know this agent's key yet. It is offered again,
//! but seldom.
//!
//! Besides, the last word about each app is said again now and then (`outbox/pulse.rs`). That is not durable, and makes room
//! for whatever is new.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use follower::{Mirrors, PostError};
use schema::{Ack, AckBatch, App, Epoch, Generation, Limits, SignedAck};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::backoff::{Backoff, around};
use crate::blocking::blocking;
use crate::identity::Identity;
use crate::journal::REMEMBERED_MAX;
use pulse::Pulse;
use standing::Standing;

mod pulse;
mod standing;

/// What there is to do for the outbox.
#[derive(Debug)]
pub(crate) enum Errand {
    /// Send it until it is answered.
    Deliver(Delivery),
    /// Send what was said before and not answered.
    Redeliver(Delivery),
    /// An earlier run of the agent said it last: say it again now and then.
    Recall(Ack),
    /// Nobody answers any more: say it all again, until somebody does.
    CutOff,
    /// Somebody answers again.
    Reconnected,
}

/// An ack on its way.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) ack: Ack,
    /// Who is to hear that it was answered; nobody where it is only said again.
    pub(crate) answered: Option<mpsc::UnboundedSender<Ack>>,
}

/// How often something is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// About how soon to try again what failed.
    pub(crate) retry: Duration,
    /// How often to say the last words again.
    pub(crate) heartbeat: Duration,
}

/// What an ack is about.
type About = (App, Epoch, Generation);

struct Waiting {
    delivery: Delivery,
    /// Its place among all that is said in this run; the same however often it is sent.
    n: u64,
    /// Refused for itself: not before this.
    resting_until: Option<Instant>,
}

struct Outbox {
    mirrors: Mirrors,
    identity: Arc<Identity>,
    waiting: BTreeMap<About, Waiting>,
    said: u64,
    backoff: Backoff,
    /// How long to leave alone, about, who refuses for good reasons that a person has to mend.
    seldom: Duration,
    /// Not before this.
    next_try: Instant,
    /// How many acks go into one batch: fewer after a refusal, to find the one that is at fault.
    batch_max: usize,
    standing: Standing,
    pulse: Pulse,
}

/// Runs until `shutdown`, or until nobody can send acks any more.
pub(crate) async fn run(
    mirrors: Mirrors,
    identity: Arc<Identity>,
    pace: Pace,
    mut incoming: mpsc::UnboundedReceiver<Errand>,
    shutdown: CancellationToken,
) {
    let mut outbox = Outbox::new(mirrors, identity, pace);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            errand = incoming.recv() => match errand {
                Some(errand) => outbox.take(errand),
                None => return,
            },
            () = outbox.pulse.due() => outbox.say_again(),
            () = outbox.due() => {
                while let Ok(errand) = incoming.try_recv() {
                    outbox.take(errand);
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
    fn new(mirrors: Mirrors, identity: Arc<Identity>, pace: Pace) -> Outbox {
        let seldom = pace.retry * SELDOM;
        Outbox {
            mirrors,
            identity,
            waiting: BTreeMap::new(),
            said: 0,
            backoff: Backoff::new(pace.retry),
            seldom,
            next_try: Instant::now(),
            batch_max: Limits::DEFAULT.acks_per_batch_max,
            standing: Standing::Good,
            pulse: Pulse::new(pace.heartbeat, seldom),
        }
    }

    fn take(&mut self, errand: Errand) {
        match errand {
            Errand::Deliver(delivery) => {
                self.pulse.said(&delivery.ack);
                self.put(delivery);
            }
            Errand::Redeliver(delivery) => self.put(delivery),
            Errand::Recall(ack) => self.pulse.recall(ack),
            Errand::CutOff => _ = self.pulse.soon(),
            Errand::Reconnected => {
                let soon = self.pulse.soon();
                if self.standing == Standing::NobodyAnswers {
                    self.next_try = self.next_try.min(soon);
                }
            }
        }
    }

    /// Says the last word about each app again, unless something about it is on its way, which says as much.
    fn say_again(&mut self) {
        for ack in self.pulse.beat(self.standing) {
            let about = (ack.app.clone(), ack.epoch, ack.generation);
            let is_on_its_way = |(other, waiting): (&About, &Waiting)| {
                *other == about || (other.0 == about.0 && waiting.resting_until.is_none())
            };
            if !self.waiting.iter().any(is_on_its_way) {
                self.put(Delivery { ack, answered: None });
            }
        }
    }

    fn put(&mut self, delivery: Delivery) {
        let ack = &delivery.ack;
        let app = ack.app.clone();
        self.said += 1;
        let about = (app.clone(), ack.epoch, ack.generation);
        self.waiting.insert(about, Waiting { delivery, n: self.said, resting_until: None });
        let of_app = || self.waiting.keys().filter(|about| about.0 == app);
        if of_app().count() > REMEMBERED_MAX
            && let Some(oldest) = of_app().next().cloned()
        {
            // The journal has forgotten it too.
            self.waiting.remove(&oldest);
        }
    }

    async fn due(&self) {
        match self.waiting.values().map(|waiting| waiting.resting_until).min() {
            None => pending().await,
            Some(resting_until) => {
                sleep_until(resting_until.map_or(self.next_try, |rest| rest.max(self.next_try))).await
            }
        }
    }

    async fn send(&mut self) {
        let now = Instant::now();
        let rested = |waiting: &&Waiting| waiting.resting_until.is_none_or(|until| until <= now);
        let mut batch: Vec<SignedAck> = self.waiting.values().filter(rested).map(|w| self.signed(w)).collect();
        // As they were said: of two about one app, whoever reads only the first half should know the older.
        batch.sort_by_key(|signed| signed.n);
        batch.truncate(self.batch_max);
        let (identity, acks) = (Arc::clone(&self.identity), batch.clone());
        let body = Bytes::from(blocking(move || AckBatch::seal(acks, &identity.key)).await);
        match self.mirrors.post(PATH, body, ANSWER_MAX_BYTES).await {
            Ok(_) => {
                self.note(Standing::Good);
                self.done(&batch);
            }
            Err(failed) => self.not_taken(&batch, &failed),
        }
    }

    fn not_taken(&mut self, batch: &[SignedAck], failed: &PostError) {
        let standing = Standing::of(failed);
        if standing != Standing::Refused && self.note(standing) {
            standing.tell(&batch[0].ack.agent, self.identity.key.public(), failed);
        }
        match standing {
            Standing::NobodyTakesAcks => self.done(batch),
            Standing::KeyRefused | Standing::NotLetIn => self.next_try = Instant::now() + around(self.seldom),
            Standing::Refused => self.refused(batch, failed),
            Standing::Good | Standing::NobodyAnswers => self.next_try = Instant::now() + self.backoff.failed(),
        }
    }

    fn signed(&self, waiting: &Waiting) -> SignedAck {
        SignedAck { boot: self.identity.boot, n: waiting.n, ack: waiting.delivery.ack.clone() }
    }

    /// Finds the ack that is at fault, and lets the others pass it.
    fn refused(&mut self, batch: &[SignedAck], failed: &PostError) {
        let [signed] = batch else {
            self.batch_max = 1;
            return;
        };
        let Ack { app, epoch, generation, .. } = &signed.ack;
        if let Some(waiting) = self.waiting.get_mut(&(app.clone(), *epoch, *generation)) {
            if waiting.resting_until.is_none() {
                error!(%app, %generation, "An ack is refused; it is kept, and offered again seldom: {failed}");
            }
            waiting.resting_until = Some(Instant::now() + around(self.seldom));
        }
    }

    /// Takes the batch off the list, except for what a newer ack replaced meanwhile, and passes the word on.
    fn done(&mut self, batch: &[SignedAck]) {
        self.backoff.forget();
        for SignedAck { n, ack, .. } in batch {
            let about = (ack.app.clone(), ack.epoch, ack.generation);
            if let Some(waiting) = self.waiting.get(&about).filter(|waiting| waiting.n == *n) {
                // Whoever no longer listens finds the ack in the journal, and sends it again.
                if let Some(answered) = &waiting.delivery.answered {
                    let _ = answered.send(ack.clone());
                }
                self.waiting.remove(&about);
            }
        }
        if self.waiting.values().all(|waiting| waiting.resting_until.is_some()) {
            // Whatever was at fault was found.
            self.batch_max = Limits::DEFAULT.acks_per_batch_max;
        }
    }

    /// Notes how things stand; true if that is news.
    fn note(&mut self, standing: Standing) -> bool {
        let news = self.standing != standing;
        self.standing = standing;
        news
    }
}

const PATH: &str = "v1/acks";
const ANSWER_MAX_BYTES: u64 = 4 * 1024;
/// Polls between two tries where only a person can mend what is wrong.
const SELDOM: u32 = 30;

#[cfg(test)]
mod tests {
    use schema::Outcome;
    use schema::ack::Boot;
    use schema::keys::SecretKey;

    use super::*;
    use crate::journal::tests::ack;

    fn outbox() -> Outbox {
        let bases = vec!["http://127.0.0.1:1/".parse().expect("a base URL")];
        let mirrors = Mirrors::new(bases, follower::Settings::default()).expect("one base URL");
        let identity = Identity { key: SecretKey::generate(), boot: Boot::new(1) };
        let pace = Pace { retry: Duration::from_secs(10), heartbeat: Duration::from_secs(30) };
        Outbox::new(mirrors, Arc::new(identity), pace)
    }

    #[tokio::test]
    async fn a_host_that_nobody_answers_keeps_the_newest_acks_and_not_more() {
        let mut outbox = outbox();
        let (answered, _) = mpsc::unbounded_channel();
        for generation in 1..=REMEMBERED_MAX as u64 + 5 {
            let ack = ack(generation, 1, Outcome::Applied, None);
            outbox.put(Delivery { ack, answered: Some(answered.clone()) });
        }
        let kept: Vec<u64> = outbox.waiting.keys().map(|(_, _, generation)| generation.number()).collect();
        assert_eq!(kept, (6..=REMEMBERED_MAX as u64 + 5).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a15_what_is_said_later_has_the_higher_number_and_keeps_it() {
        let mut outbox = outbox();
        let (answered, mut heard) = mpsc::unbounded_channel();
        for outcome in [Outcome::Applied, Outcome::Stale] {
            outbox.put(Delivery { ack: ack(1, 1, outcome, None), answered: Some(answered.clone()) });
        }
        let signed = |outbox: &Outbox| outbox.waiting.values().map(|w| outbox.signed(w)).collect::<Vec<_>>();
        let first = signed(&outbox);
        assert_eq!((first.len(), first[0].n, first[0].ack.outcome), (1, 2, Outcome::Stale));
        assert_eq!(signed(&outbox), first);
        // An answer to what was replaced meanwhile answers nothing.
        outbox.done(&[SignedAck { n: 1, ..first[0].clone() }]);
        assert!(heard.try_recv().is_err() && outbox.waiting.len() == 1);
        outbox.done(&first);
        assert_eq!(heard.try_recv().expect("word of it"), first[0].ack);
    }

    #[tokio::test]
    async fn a_word_that_is_said_again_is_numbered_anew_and_never_in_the_way_of_a_new_one() {
        let mut outbox = outbox();
        outbox.say_again();
        assert!(outbox.waiting.is_empty(), "nobody says anything before there is something to say");
        let (answered, mut heard) = mpsc::unbounded_channel();
        let deliver = |generation, outcome| {
            let ack = ack(generation, 1, outcome, None);
            Errand::Deliver(Delivery { ack, answered: Some(answered.clone()) })
        };
        let said = |outbox: &Outbox| {
            let signed = outbox.waiting.values().map(|waiting| outbox.signed(waiting));
            signed.map(|signed| (signed.n, signed.ack.generation.number(), signed.ack.outcome)).collect::<Vec<_>>()
        };
        outbox.take(deliver(1, Outcome::Applied));
        outbox.say_again();
        assert_eq!(said(&outbox), [(1, 1, Outcome::Applied)], "it is on its way");
        let batch: Vec<SignedAck> = outbox.waiting.values().map(|waiting| outbox.signed(waiting)).collect();
        outbox.done(&batch);
        assert!(heard.try_recv().is_ok());
        outbox.say_again();
        assert_eq!(said(&outbox), [(2, 1, Outcome::Applied)]);
        // Something newer about the same generation takes its place, and it is the new one that is answered for.
        outbox.take(deliver(1, Outcome::Prepared));
        assert_eq!(said(&outbox), [(3, 1, Outcome::Prepared)]);
        outbox.say_again();
        assert_eq!(said(&outbox), [(3, 1, Outcome::Prepared)]);
        let batch: Vec<SignedAck> = outbox.waiting.values().map(|waiting| outbox.signed(waiting)).collect();
        outbox.done(&batch);
        assert_eq!(heard.try_recv().expect("word of it").outcome, Outcome::Prepared);
        // The newest word is the one that is said again, and an old one that somebody refuses does not keep it back.
        outbox.take(deliver(2, Outcome::Applied));
        let about =
            |generation| (ack(1, 1, Outcome::Applied, None).app, schema::Epoch::FIRST, Generation::new(generation));
        outbox.waiting.remove(&about(2));
        outbox.put(Delivery { ack: ack(1, 1, Outcome::Applied, None), answered: None });
        outbox.waiting.get_mut(&about(1)).expect("just put").resting_until = Some(Instant::now());
        outbox.say_again();
        assert_eq!(said(&outbox).last(), Some(&(6, 2, Outcome::Applied)));
    }
}
