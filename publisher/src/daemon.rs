//! The publisher as a daemon: looks at the branch, publishes its tip, and keeps the pointers young.
//!
//! In: a [`Config`] and the [`Publisher`] opened from it. Out: pointers in the store, a status to watch, [`Event`]s. What
//! goes wrong is said in the status and tried again; only what is wrong at the start ends it. A commit that may not be
//! published leaves everything as it is, and the pointers of the one before it are still signed afresh.
//!
//! It can be dropped or killed at any moment: whatever it left half done is finished by the next look, here or elsewhere.

mod ancestry;
mod base;
mod checkpoint;
mod error;
mod following;
mod keeping;
mod notes;
mod origin;
mod pace;
mod prove;
mod rules;
mod tell;
#[cfg(test)]
mod tests;

use std::future::pending;
use std::time::Duration;

use schema::CommitId;
use schema::status::PublisherStatus;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

pub use base::BaseError;
pub use error::LookError;
pub use following::Looked;
pub use tell::Event;

use crate::config::Config;
use crate::kind::ErrorKind;
use crate::publisher::Publisher;
use crate::start::StartError;
use following::{Following, Sight};
use pace::Backoff;
use tell::Teller;

/// Publishes the branch's tips until `shutdown`.
///
/// # Errors
/// [`StartError`] where the state folder cannot be made; nothing after that ends it.
pub async fn run(
    config: Config,
    publisher: Publisher,
    status: watch::Sender<PublisherStatus>,
    events: Option<mpsc::UnboundedSender<Event>>,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    let following = Following::start(config, publisher).await?;
    // Nothing of ours is lost by being dropped: see the order of writes.
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        () = follow(following, status, events) => {}
    }
    Ok(())
}

/// Looks at the branch once and publishes its tip, or finishes what an earlier look began.
///
/// # Errors
/// [`LookError`] where the tip is not published, or not everywhere.
pub async fn once(config: Config, publisher: Publisher) -> Result<Looked, LookError> {
    look_once(Following::start(config, publisher).await?).await
}

/// As [`once`], at `commit` in the place of the branch's tip: all of its history is judged, and nothing is remembered of it.
///
/// # Errors
/// [`LookError`] where the commit may not be published, or not everywhere.
pub async fn once_at(config: Config, publisher: Publisher, commit: CommitId) -> Result<Looked, LookError> {
    let mut following = Following::start(config, publisher).await?;
    following.choose(commit);
    look_once(following).await
}

async fn look_once(mut following: Following) -> Result<Looked, LookError> {
    match following.look().await? {
        Sight::Tip(mut looked) | Sight::Waiting(mut looked) => {
            looked.notes.extend(following.note_on_root());
            Ok(looked)
        }
        Sight::Unchanged | Sight::StillRefused => unreachable!("a first look has nothing to compare with"),
    }
}

async fn follow(
    mut following: Following,
    status: watch::Sender<PublisherStatus>,
    events: Option<mpsc::UnboundedSender<Event>>,
) {
    let mut teller = Teller::new(following.name(), status, events);
    let mut backoff = Backoff::new(following.poll());
    // Other signers are seconds behind, as a rule, and a look for what they signed is cheap.
    let mut patience = Backoff::new(following.poll().min(Duration::from_secs(1)));
    let mut keep_at = Instant::now();
    loop {
        let sight = following.look().await;
        let now = following.now();
        teller.stands(following.published());
        teller.root(following.note_on_root());
        let pause = match &sight {
            Ok(Sight::Waiting(_)) => Some(patience.next()),
            Ok(_) => None,
            // Only another commit or policy helps, so that is what is waited for.
            Err(error) if error.kind() == ErrorKind::Refused => None,
            Err(_) => Some(backoff.next()),
        };
        let is_waiting = matches!(sight, Ok(Sight::Waiting(_)));
        // After a failure the branch is left alone until the pause is over; whoever waits for others hears of a newer tip.
        let hears = is_waiting || pause.is_none();
        match sight {
            Ok(Sight::Unchanged) => teller.looked(now),
            Ok(Sight::StillRefused) => teller.still_refused(now),
            Ok(Sight::Tip(looked)) => {
                teller.published(&looked, now);
                keep_at = Instant::now() + following.keep_every();
            }
            Ok(Sight::Waiting(looked)) => teller.waiting(&looked, now),
            Err(error) => teller.failed(&error, now),
        }
        if hears || pause.is_none() {
            backoff.reset();
        }
        if !is_waiting {
            patience.reset();
        }
        if Instant::now() >= keep_at {
            teller.kept(&following.keep().await);
            keep_at = Instant::now() + following.keep_every();
        }
        tokio::select! {
            () = sleep_until(keep_at) => {}
            () = async {
                match pause {
                    Some(pause) => sleep(pause).await,
                    None => pending().await,
                }
            } => {}
            () = following.changed(), if hears => {}
        }
    }
}
