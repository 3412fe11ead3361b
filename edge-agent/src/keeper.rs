//! Keeps one app at what its pointer says: waits for a pointer, decides, acts, and waits again.
//!
//! In: observations of the pointer, answers to acks, the time. Out: the steps of [`crate::apply`]. It is the thin shell around
//! [`crate::decide`] and the only owner of the app's folder; a slow app holds up itself and no other.

mod act;
mod measure;
mod observe;
mod report;
mod scrub;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use follower::{Observation, PointerFollower};
use schema::{Ack, Timestamp, TrustRoot, Verified};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, warn};

use crate::apply::{ACKED, Accepted, Host, Site, clock, in_one_line, reached};
use crate::backoff::Backoff;
use crate::complaint::Complaint;
use crate::journal::{Compaction, JournalError, JournalState, Record};
use crate::scrub::Found;
use observe::Connection;
use scrub::Scrubbing;

/// One app's task.
pub(crate) struct Keeper {
    site: Site,
    follower: PointerFollower,
    /// Trust roots as they are walked to.
    root: watch::Receiver<Arc<Verified<TrustRoot>>>,
    /// Answers to acks.
    answered: mpsc::UnboundedReceiver<Ack>,
    /// The newest pointer that was accepted since the start.
    pointer: Option<Accepted>,
    /// How long to leave a generation alone that will not come to a result, and until when.
    backoff: Backoff,
    resting_until: Option<Instant>,
    /// When something is due that a decision was made to wait for.
    turn: Option<Instant>,
    /// The trial at hand by its beginning, and since when this run of the agent has watched it.
    watching: Option<(Timestamp, Instant)>,
    complaint: Complaint,
    /// Whether nobody answered when the pointer was asked for last.
    connection: Connection,
    scrubbing: Scrubbing,
}

/// Why a wait ended.
enum Wake {
    Observed(Observation),
    RootMoved,
    Scrubbed(Found),
    Due,
    Stop,
}

impl Keeper {
    /// Prepares to keep the app of `site`, trying again about every `rhythm` where something fails, and
    /// reading all versions about every `scrub_every`.
    pub(crate) fn new(
        site: Site,
        follower: PointerFollower,
        answered: mpsc::UnboundedReceiver<Ack>,
        rhythm: Duration,
        scrub_every: Duration,
    ) -> Keeper {
        let backoff = Backoff::new(rhythm);
        let complaint = Complaint::default();
        let root = site.trust.watch();
        let scrubbing = Scrubbing::new(scrub_every, rhythm * SELDOM);
        Keeper {
            site,
            follower,
            root,
            answered,
            pointer: None,
            backoff,
            resting_until: None,
            turn: None,
            watching: None,
            complaint,
            connection: Connection::Up,
            scrubbing,
        }
    }

    /// Runs until the agent is to stop. A damaged journal holds the app for good; one that cannot be written is opened
    /// again until it can.
    pub(crate) async fn run(mut self) {
        let mut compaction = Compaction::WhenLong;
        let mut backoff = self.backoff;
        while let Err(error) = self.serve(compaction).await {
            let shutdown = self.site.shutdown.clone();
            let reason = in_one_line(&error);
            if !error.is_retryable() {
                error!("The app holds: {reason}");
                return shutdown.cancelled().await;
            }
            warn!("The app holds until its journal can be written: {reason}");
            compaction = Compaction::Always;
            tokio::select! {
                () = sleep(backoff.failed()) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Serves until the agent is to stop, or the journal cannot be relied on.
    async fn serve(&mut self, compaction: Compaction) -> Result<(), JournalError> {
        let mut host = Host::open(self.site.clone(), compaction).await?;
        let ended = self.keep(&mut host).await;
        if let Err(error) = &ended {
            self.tell_of_the_journal(&host, error);
        }
        ended
    }

    async fn keep(&mut self, host: &mut Host) -> Result<(), JournalError> {
        if let Some(accepted) = &self.pointer {
            // In hand since before the journal failed, and perhaps not in it.
            accepted.remember(host).await?;
        }
        self.scrubbing.resume(&host.site.folder).await;
        host.clear_stage().await;
        host.collect().await;
        let JournalState { unanswered, told, .. } = host.ledger.state();
        for ack in unanswered {
            host.site.told.send_again(ack.clone());
        }
        if let Some(word) = told {
            // As what it is now: the labels may be others than then.
            let labels = BTreeMap::clone(&host.site.about.labels);
            host.site.told.recall(Ack { labels, ..word.clone() });
        }
        loop {
            let due = self.work(host).await?;
            self.measure(host);
            match self.wait(host, due).await? {
                Wake::Observed(observation) => self.observe(host, observation).await?,
                Wake::RootMoved => self.root_moved(host).await,
                Wake::Scrubbed(found) => self.put_right(host, found).await?,
                Wake::Due => {}
                Wake::Stop => return Ok(()),
            }
        }
    }

    /// Waits for the pointer to be observed or for `due`, and meanwhile takes note of answers to acks.
    async fn wait(&mut self, host: &mut Host, due: Option<Instant>) -> Result<Wake, JournalError> {
        let folder = host.site.folder.clone();
        // What comes with the next pointer is chosen by what runs.
        self.follower.has(host.active().await.ok().flatten());
        let mut observation = pin!(self.follower.next());
        loop {
            tokio::select! {
                observation = &mut observation => return Ok(Wake::Observed(observation)),
                Some(ack) = self.answered.recv() => take_note(host, &ack).await?,
                Ok(()) = self.root.changed() => return Ok(Wake::RootMoved),
                found = self.scrubbing.found(&folder, &self.site.shutdown) => return Ok(Wake::Scrubbed(found)),
                () = until(due) => return Ok(Wake::Due),
                () = self.site.shutdown.cancelled() => return Ok(Wake::Stop),
            }
        }
    }

    /// When to look again though nothing is heard: when the pointer or the trust root expires.
    fn expiry(&self, host: &Host) -> Option<Instant> {
        let in_hand = self.pointer.as_ref().map(|accepted| accepted.pointer.expires);
        let remembered = host.ledger.state().until.map(|until| until.expires);
        let expires = in_hand.or(remembered)?.min(host.site.trust.newest().expires);
        let left = expires.since(clock());
        // Once it is over, it was reported.
        (!left.is_zero()).then(|| Instant::now() + left + act::TICK)
    }

    /// Takes note of a newer trust root: it may not know who signed the pointer in hand any more, or take back what runs.
    async fn root_moved(&mut self, host: &Host) {
        let root = self.root.borrow_and_update().clone();
        let Ok(Some(current)) = host.active().await else { return };
        if root.revoked.contains(&current) {
            error!(
                bundle = %current, version = root.version,
                "REVOKED: trust root {} takes back the bundle that runs; it runs until a pointer names another one",
                root.version
            );
        }
    }
}

/// Polls between two tries to put right what is damaged.
const SELDOM: u32 = 30;

/// Makes it durable that `ack` was answered.
async fn take_note(host: &mut Host, ack: &Ack) -> Result<(), JournalError> {
    let unanswered = &host.ledger.state().unanswered;
    if unanswered.iter().any(|other| (other.epoch, other.generation) == (ack.epoch, ack.generation)) {
        let Ack { epoch, generation, at, .. } = *ack;
        host.ledger.append(Record::Acked { epoch, generation, at }).await?;
    }
    reached(ACKED);
    Ok(())
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
