//! The publisher as a daemon: looks at the branch, publishes its tip, and keeps the pointers young.
//!
//! In: a [`Config`] and the [`Publisher`] opened from it, what agents say, and commands. Out: rollouts and pointers in the store,
//! a status to watch, [`Event`]s. What
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

use std::collections::BTreeMap;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use schema::CommitId;
use schema::status::PublisherStatus;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

#[cfg(test)]
pub(crate) use origin::{blobs, layout};

pub use base::BaseError;
pub use error::LookError;
pub use following::Looked;
pub use tell::Event;

use crate::config::Config;
use crate::control::{Order, Receiver};
use crate::kind::ErrorKind;
use crate::publisher::Publisher;
use crate::rollout::driver::Driver;
use crate::rollout::{Fleet, NoFleet};
use crate::start::StartError;
use following::{Following, Sight};
use pace::Backoff;
use tell::Teller;

/// Publishes the branch's tips until `shutdown`, drives their rollouts by what `fleet` says, and carries out `orders`.
///
/// # Errors
/// [`StartError`] where the state folder cannot be made; nothing after that ends it.
pub async fn run(
    config: Config,
    publisher: Publisher,
    fleet: Arc<dyn Fleet>,
    orders: Receiver,
    status: watch::Sender<PublisherStatus>,
    events: Option<mpsc::UnboundedSender<Event>>,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    let driver = Driver::new(fleet, config.checks.clone());
    let following = Following::start(config, publisher).await?;
    // Nothing of ours is lost by being dropped: see the order of writes.
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        () = Daemon::of(following, driver, orders, status, events).run() => {}
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
        Sight::Tip(mut looked) | Sight::Waiting(mut looked) | Sight::Held(mut looked) => {
            looked.notes.extend(following.note_on_root());
            // Where time alone decides, this announces the whole plan, and agents follow it by themselves.
            let turned = Driver::new(Arc::new(NoFleet), BTreeMap::new()).turn(&following.publisher).await;
            looked.notes.extend(turned.failed.iter().map(|error| crate::causes(error).join(": ")));
            looked.rollouts = turned.rollouts;
            Ok(looked)
        }
        Sight::Unchanged | Sight::StillRefused => unreachable!("a first look has nothing to compare with"),
    }
}

/// The one task that writes: looks, rollouts and commands take turns.
struct Daemon {
    following: Following,
    driver: Driver,
    orders: Receiver,
    teller: Teller,
    backoff: Backoff,
    /// Other signers are seconds behind, as a rule, and a look for what they signed is cheap.
    patience: Backoff,
    keep_at: Instant,
}

/// Until when a look is put off.
struct Pause {
    length: Option<Duration>,
    /// After a failure the branch is left alone until the pause is over; whoever waits for others hears of a newer tip.
    hears: bool,
}

impl Daemon {
    fn of(
        following: Following,
        driver: Driver,
        orders: Receiver,
        status: watch::Sender<PublisherStatus>,
        events: Option<mpsc::UnboundedSender<Event>>,
    ) -> Daemon {
        Daemon {
            teller: Teller::new(following.name(), status, events),
            backoff: Backoff::new(following.poll()),
            patience: Backoff::new(following.poll().min(Duration::from_secs(1))),
            keep_at: Instant::now(),
            following,
            driver,
            orders,
        }
    }

    async fn run(mut self) {
        loop {
            let sight = match self.see().await {
                Ok(tip) => self.following.judge(tip).await,
                Err(error) => Err(error),
            };
            let pause = self.told(sight);
            if Instant::now() >= self.keep_at {
                let report = self.following.keep().await;
                self.teller.kept(&report);
                self.keep_at = Instant::now() + self.following.keep_every();
            }
            self.rest(pause).await;
        }
    }

    /// Looks where the branch is. That may take a while, in which rollouts go on and commands are carried out.
    async fn see(&mut self) -> Result<CommitId, LookError> {
        let publisher = self.following.publisher.clone();
        let Daemon { following, driver, orders, teller, .. } = self;
        let mut look_again = false;
        let seen = {
            let mut seeing = pin!(following.see());
            loop {
                tokio::select! {
                    biased;
                    seen = &mut seeing => break seen,
                    order = orders.next() => {
                        obey(driver, teller, &publisher, order).await;
                        look_again = true;
                    }
                    () = driver.due() => {
                        let turned = driver.turn(&publisher).await;
                        look_again |= turned.ended;
                        teller.turned(turned);
                    }
                }
            }
        };
        if look_again {
            following.look_again();
        }
        seen
    }

    /// Says what a look led to, and how long to wait for the next.
    fn told(&mut self, sight: Result<Sight, LookError>) -> Pause {
        let Daemon { following, driver, teller, backoff, patience, keep_at, .. } = self;
        let now = following.now();
        teller.stands(following.published());
        teller.root(following.note_on_root());
        let length = match &sight {
            Ok(Sight::Waiting(_)) => Some(patience.next()),
            Ok(_) => None,
            // Only another commit or policy helps, so that is what is waited for.
            Err(error) if error.kind() == ErrorKind::Refused => None,
            Err(_) => Some(backoff.next()),
        };
        let is_waiting = matches!(sight, Ok(Sight::Waiting(_)));
        let pause = Pause { length, hears: is_waiting || length.is_none() };
        if matches!(sight, Ok(Sight::Tip(_) | Sight::Held(_))) {
            driver.look_again(following.policies());
        }
        match sight {
            Ok(Sight::Unchanged) => teller.looked(now),
            Ok(Sight::StillRefused) => teller.still_refused(now),
            Ok(Sight::Tip(looked)) => {
                teller.published(&looked, now);
                *keep_at = Instant::now() + following.keep_every();
            }
            Ok(Sight::Waiting(looked) | Sight::Held(looked)) => teller.waiting(&looked, now),
            Err(error) => teller.failed(&error, now),
        }
        if pause.hears {
            backoff.reset();
        }
        if !is_waiting {
            patience.reset();
        }
        pause
    }

    /// Drives rollouts and carries out commands until the next look is due.
    async fn rest(&mut self, pause: Pause) {
        let Daemon { following, driver, orders, teller, keep_at, .. } = self;
        let mut paused = pin!(async {
            match pause.length {
                Some(length) => sleep(length).await,
                None => pending().await,
            }
        });
        loop {
            tokio::select! {
                order = orders.next() => {
                    obey(driver, teller, &following.publisher, order).await;
                    return following.look_again();
                }
                () = driver.due() => {
                    let turned = driver.turn(&following.publisher).await;
                    let ended = turned.ended;
                    teller.turned(turned);
                    if ended {
                        return following.look_again();
                    }
                }
                () = sleep_until(*keep_at) => return,
                () = &mut paused => return,
                () = following.changed(), if pause.hears => return,
            }
        }
    }
}

/// Carries out a command and answers it, when the status says what came of it: whoever gave it looks there next.
async fn obey(driver: &mut Driver, teller: &mut Teller, publisher: &Publisher, order: Order) {
    let came = driver.obey(publisher, &order.who, &order.command).await;
    teller.turned(driver.turn(publisher).await);
    order.answer(came);
}
