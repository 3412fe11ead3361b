//! Keeps one app at what its pointer says: waits for a pointer, decides, acts, and waits again.
//!
//! In: observations of the pointer, answers to acks, the time. Out: the steps of [`crate::apply`]. It is the thin shell around
//! [`crate::decide`] and the only owner of the app's folder; a slow app holds up itself and no other.

mod act;
mod complaint;
mod observe;

use std::pin::pin;
use std::time::Duration;

use follower::{Observation, PointerFollower};
use schema::Ack;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, warn};

use crate::apply::{ACKED, Accepted, Host, Site, clock, in_one_line, reached};
use crate::backoff::Backoff;
use crate::journal::{Compaction, JournalError, Record};
use complaint::Complaint;

/// One app's task.
pub(crate) struct Keeper {
    site: Site,
    follower: PointerFollower,
    /// Answers to acks.
    answered: mpsc::UnboundedReceiver<Ack>,
    /// The newest pointer that was accepted since the start.
    pointer: Option<Accepted>,
    /// How long to leave a generation alone that will not come to a result, and until when.
    backoff: Backoff,
    resting_until: Option<Instant>,
    complaint: Complaint,
}

/// Why a wait ended.
enum Wake {
    Observed(Observation),
    Due,
    Stop,
}

impl Keeper {
    /// Prepares to keep the app of `site`, trying again about every `rhythm` where something fails.
    pub(crate) fn new(
        site: Site,
        follower: PointerFollower,
        answered: mpsc::UnboundedReceiver<Ack>,
        rhythm: Duration,
    ) -> Keeper {
        let backoff = Backoff::new(rhythm);
        let complaint = Complaint::default();
        Keeper { site, follower, answered, pointer: None, backoff, resting_until: None, complaint }
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
        host.clear_stage().await;
        host.collect().await;
        for ack in &host.ledger.state().unanswered {
            host.site.told.send_again(ack.clone());
        }
        loop {
            let due = self.work(host).await?;
            match self.wait(host, due).await? {
                Wake::Observed(observation) => self.observe(host, observation).await?,
                Wake::Due => {}
                Wake::Stop => return Ok(()),
            }
        }
    }

    /// Waits for the pointer to be observed or for `due`, and meanwhile takes note of answers to acks.
    async fn wait(&mut self, host: &mut Host, due: Option<Instant>) -> Result<Wake, JournalError> {
        let mut observation = pin!(self.follower.next());
        loop {
            tokio::select! {
                observation = &mut observation => return Ok(Wake::Observed(observation)),
                Some(ack) = self.answered.recv() => take_note(host, &ack).await?,
                () = until(due) => return Ok(Wake::Due),
                () = self.site.shutdown.cancelled() => return Ok(Wake::Stop),
            }
        }
    }

    /// When to look again though nothing is heard: when the pointer or the trust root expires.
    fn expiry(&self, host: &Host) -> Option<Instant> {
        let pointer = &self.pointer.as_ref()?.pointer;
        let expires = pointer.expires.min(host.site.trust.newest().expires);
        let left = expires.since(clock());
        // Once it is over, it was reported. The clock of the runtime may be a little ahead of the host's.
        (!left.is_zero()).then(|| Instant::now() + left + Duration::from_millis(5))
    }
}

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
