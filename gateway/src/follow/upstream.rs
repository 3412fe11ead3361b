//! Follows an upstream: one long-poll for each app and region that was configured or asked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use follower::{Failures, Mirrors, Observation, PointerFollower, PointerRefused, Reason, Rhythm};
use schema::Limits;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::demand::{Ask, Asked, Asks};
use crate::clock;
use crate::health::Subject;
use crate::pair::Pair;
use crate::view::View;

/// Follows `pairs`, and those that are asked for, until `shutdown`.
pub(crate) async fn follow_upstream(
    mirrors: Mirrors,
    view: Arc<View>,
    poll: Duration,
    pairs: Vec<Pair>,
    mut asks: Asks,
    shutdown: CancellationToken,
) {
    let rhythm = Rhythm { poll, backoff_max: BACKOFF_MAX, ..Rhythm::default() };
    let mut upstream = Upstream { mirrors, view, rhythm, followed: HashMap::new(), tasks: JoinSet::new() };
    let follow = async {
        for pair in pairs {
            upstream.follow(pair, Keep::Always);
        }
        loop {
            tokio::select! {
                Some(ask) = asks.0.recv() => upstream.answer(ask),
                Some(ended) = upstream.tasks.join_next() => match ended {
                    Ok(pair) => drop(upstream.followed.remove(&pair)),
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                // Nobody can ask any more, and nobody is followed.
                else => break,
            }
        }
    };
    shutdown.run_until_cancelled(follow).await;
}

/// Whether a pair is followed on when the upstream does not have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Always,
    WhilePosted,
}

struct Upstream {
    mirrors: Mirrors,
    view: Arc<View>,
    rhythm: Rhythm,
    followed: HashMap<Pair, watch::Receiver<Asked>>,
    tasks: JoinSet<Pair>,
}

impl Upstream {
    fn answer(&mut self, Ask { pair, answer }: Ask) {
        let progress = match self.followed.get(&pair) {
            Some(progress) => progress.clone(),
            None if self.followed.len() >= FOLLOWED_MAX || self.lookups() >= LOOKUPS_MAX => return,
            None => self.follow(pair, Keep::WhilePosted),
        };
        // Who does not wait for the answer any more does not need it.
        let _ = answer.send(progress);
    }

    /// How many pairs are followed of which it is not known yet whether they exist.
    fn lookups(&self) -> usize {
        self.followed.values().filter(|progress| *progress.borrow() == Asked::Unknown).count()
    }

    fn follow(&mut self, pair: Pair, keep: Keep) -> watch::Receiver<Asked> {
        let (told, progress) = watch::channel(Asked::Unknown);
        let max_bytes = Limits::DEFAULT.pointer_max_bytes;
        let pointer = self.mirrors.pointer_follower(pair.app.clone(), pair.region.clone(), max_bytes, self.rhythm);
        self.followed.insert(pair.clone(), progress.clone());
        let following = Following { pair, keep, view: Arc::clone(&self.view), told };
        self.tasks.spawn(following.run(pointer));
        progress
    }
}

/// One pair that is followed.
struct Following {
    pair: Pair,
    keep: Keep,
    view: Arc<View>,
    told: watch::Sender<Asked>,
}

impl Following {
    /// Follows on; ends, with the pair, only where there is nothing to keep following for.
    async fn run(self, mut pointer: PointerFollower) -> Pair {
        loop {
            match pointer.next().await {
                Observation::Changed { bytes, .. } => {
                    self.view.health.answered(clock::now());
                    match self.view.take(&self.pair, bytes).await {
                        Ok(_) => {
                            pointer.accepted();
                            self.told.send_replace(Asked::Followed);
                        }
                        Err(_) => pointer.refused(),
                    }
                }
                Observation::Unchanged { .. } => self.confirm(&mut pointer),
                Observation::Absent { failures, .. } => {
                    self.view.health.answered(clock::now());
                    if self.gives_up(Asked::Absent, failures) {
                        return self.pair;
                    }
                }
                Observation::Unreachable { failures } => {
                    if self.gives_up(Asked::Unknown, failures) {
                        return self.pair;
                    }
                }
            }
        }
    }

    fn confirm(&self, pointer: &mut PointerFollower) {
        let now = clock::now();
        self.view.health.answered(now);
        self.view.health.fine(&Subject::Pointer(self.pair.clone()));
        let Some(slot) = self.view.board.slot(&self.pair) else { return };
        slot.confirm(now);
        let posted = slot.posted();
        let (issued, expires) = (posted.pointer().issued, posted.pointer().expires);
        // Publishers sign afresh well before that, so somebody may be holding it back.
        if now.since(issued) * 2 > expires.since(issued) {
            pointer.doubt();
        }
    }

    /// Notes a round in which nobody had the pointer; says whether to leave it at that.
    fn gives_up(&self, known: Asked, failures: Failures<PointerRefused>) -> bool {
        let posted = self.view.board.slot(&self.pair).is_some();
        if self.keep == Keep::WhilePosted && !posted {
            self.told.send_replace(known);
            // A name that anyone could have made up is no trouble worth telling.
            self.view.health.fine(&Subject::Pointer(self.pair.clone()));
            return true;
        }
        let subject = Subject::Pointer(self.pair.clone());
        // What is wrong with one that was refused was told when it was, and better than can be done here.
        let refused = failures.iter().all(|failure| matches!(failure.reason, Reason::Refused(_)));
        if !(refused && self.view.health.is_troubled(&subject)) {
            self.view.health.trouble(subject, &NoPointer { pair: &self.pair, failures });
        }
        false
    }
}

/// Says that no base URL gave a pointer.
#[derive(Debug, thiserror::Error)]
#[error("no pointer of `{}` in `{}` from upstream: {failures}", pair.app, pair.region)]
struct NoPointer<'a> {
    pair: &'a Pair,
    failures: Failures<PointerRefused>,
}

const FOLLOWED_MAX: usize = 4096;
/// Names that somebody made up take part in this, those that were configured too while nobody answers.
const LOOKUPS_MAX: usize = 256;
const BACKOFF_MAX: Duration = Duration::from_secs(10);
