//! Drives the rollouts of all apps: the thin shell around [`step`].
//!
//! In: the records and pointers in a store, what agents say, what checks say, and commands. Out: the next records, the pointers
//! that follow them, and a status of each rollout. It remembers nothing that the store does not have, but what saves reading it,
//! so it can be dropped anywhere, and another one goes on.
//!
//! The order of writes is always the same: first the record of the next state, then each pointer that it means. Whoever loses the
//! race for a record reads what won; whoever finds a record whose pointers lag announces them.

mod error;
mod hold;
mod known;
mod obey;
mod quarantine;
mod returns;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schema::rollout::{Place, Policy, Stage};
use schema::status::RolloutStatus;
use schema::{App, CommitId, Digest, Region, Rollout, Timestamp};
use tokio::time::{Instant, sleep_until};

use super::checks::{About, Check, Checks};
use super::fleet::Fleet;
use super::point::{Pointed, lags, point};
use super::records::{Recording, record};
use super::{Step, step, wanted};
use crate::publish::{Moved, read_back};
use crate::publisher::Publisher;
pub(crate) use error::DriveError;
use known::Known;
use returns::Returns;

/// Where a publisher can be made to die between two writes of a rollout, besides those of a publication.
pub const POINTS: [&str; 4] =
    ["rollout-recorded", "publish-history-recorded", "publish-pointer-moved", "rollout-pointed"];

/// How many records one app may get in one turn. More is for the next turn, so that no app starves the others.
const STEPS_AT_ONCE: usize = 16;

/// How long what was read of a rollout under way, and of its pointers, is believed.
const BELIEVED_FOR: Duration = Duration::from_secs(3);

/// How long after something was heard the next turn is, so that what comes together is taken together.
const GATHER: Duration = Duration::from_millis(60);

/// The shortest time between two turns that are due because of what was heard.
const BETWEEN_TURNS: Duration = Duration::from_millis(200);

/// How many times as long as the last turn took is waited at least, so that a large fleet that talks all the time gets no more
/// than a fifth of one core.
const REST_OF_TURN: u32 = 4;

/// How often all apps are looked at, for rollouts that other publishers began.
const DISCOVER_EVERY: Duration = Duration::from_secs(30);

/// Drives rollouts.
pub(crate) struct Driver {
    fleet: Arc<dyn Fleet>,
    checks: Checks,
    apps: BTreeMap<App, Known>,
    policies: BTreeMap<App, Policy>,
    /// When a region's agents were last looked at for quarantine.
    judged: BTreeMap<(App, Region), Instant>,
    returns: Returns,
    /// Bundles that this process has read back from the store, each under a trust root of this version.
    whole: BTreeSet<(App, Digest, u64)>,
    discovered: Option<Instant>,
    /// Before when nothing that is heard leads to a turn.
    rested: Option<Instant>,
    heard: Option<Instant>,
    again: Instant,
}

/// What a turn led to.
#[derive(Debug, Default)]
pub(crate) struct Turned {
    /// The newest rollout of every app that has one, sorted by app.
    pub(crate) rollouts: Vec<RolloutStatus>,
    /// Pointers by which a commit became what everyone runs.
    pub(crate) completed: Vec<(CommitId, Moved)>,
    /// Whether a rollout ended, so that what waited for it can go on.
    pub(crate) ended: bool,
    /// What is in the way.
    pub(crate) failed: Vec<DriveError>,
}

impl Driver {
    pub(crate) fn new(fleet: Arc<dyn Fleet>, checks: BTreeMap<Box<str>, Check>) -> Driver {
        Driver {
            fleet,
            checks: Checks::new(checks),
            apps: BTreeMap::new(),
            policies: BTreeMap::new(),
            judged: BTreeMap::new(),
            returns: Returns::default(),
            whole: BTreeSet::new(),
            discovered: None,
            rested: None,
            heard: None,
            again: Instant::now(),
        }
    }

    /// Goes by these policies where no rollout has its own, and reads what the store has by now.
    pub(crate) fn look_again(&mut self, policies: Option<&BTreeMap<App, Policy>>) {
        if let Some(policies) = policies {
            self.policies.clone_from(policies);
        }
        self.discovered = None;
        self.again = Instant::now();
    }

    /// Waits until a turn is due. Nothing is lost by dropping it half way.
    pub(crate) async fn due(&mut self) {
        loop {
            if let Some(heard) = self.heard {
                let earliest = self.rested.unwrap_or(heard);
                sleep_until((heard + GATHER).max(earliest).min(self.again.max(earliest))).await;
                return;
            }
            let fleet = Arc::clone(&self.fleet);
            tokio::select! {
                () = sleep_until(self.again) => return,
                () = fleet.changed() => self.heard = Some(Instant::now()),
                () = self.checks.answered() => self.heard = Some(Instant::now()),
            }
        }
    }

    /// Takes every rollout as far as it goes right now.
    pub(crate) async fn turn(&mut self, publisher: &Publisher) -> Turned {
        self.heard = None;
        let began = Instant::now();
        let mut turned = Turned::default();
        if self.discovered.is_none_or(|at| at.elapsed() >= DISCOVER_EVERY) {
            match self.discover(publisher).await {
                Ok(()) => self.discovered = Some(Instant::now()),
                Err(error) => turned.failed.push(error),
            }
        }
        let mut again = Instant::now() + DISCOVER_EVERY;
        for app in self.apps.keys().cloned().collect::<Vec<_>>() {
            match self.drive(publisher, &app, &mut turned).await {
                Ok(at) => again = again.min(at),
                Err(error) => {
                    turned.failed.push(error);
                    again = again.min(Instant::now() + BELIEVED_FOR);
                }
            }
        }
        let judged = self.judge(publisher, &mut turned.failed).await;
        self.again = again.min(judged);
        self.rested = Some(Instant::now() + rest(began.elapsed()));
        turned
    }

    async fn discover(&mut self, publisher: &Publisher) -> Result<(), DriveError> {
        let mut apps = BTreeMap::new();
        for app in publisher.store.apps().await.map_err(DriveError::Store)? {
            let regions = publisher.store.regions(&app).await.map_err(DriveError::Store)?;
            apps.insert(app, Known::of(regions));
        }
        self.apps = apps;
        Ok(())
    }

    /// Takes one app's rollout as far as it goes, and says when to look again.
    async fn drive(&mut self, publisher: &Publisher, app: &App, turned: &mut Turned) -> Result<Instant, DriveError> {
        let later = Instant::now() + DISCOVER_EVERY;
        for _ in 0..STEPS_AT_ONCE {
            let Some(known) = self.apps.get_mut(app) else { return Ok(later) };
            known.refresh(publisher, app).await?;
            let Some(state) = known.state.clone() else { return Ok(later) };
            let now = publisher.now();
            let reports = known.reports(&*self.fleet, app);
            self.checks.turn_to(&about(&state));
            let verdicts = self.checks.verdicts(app);
            let seen = known.seen(&reports, &verdicts, self.fleet.listening_since());
            if !known.drives {
                turned.rollouts.push(super::status(&state, known.began, &seen, now));
                return Ok(later);
            }
            let lagging = || known.pointers.iter().filter(|(region, pointer)| lags(&state, region, pointer));
            let step = match state.is_over() {
                true => Step { point: lagging().map(|(region, _)| region.clone()).collect(), ..Step::default() },
                false => step(&state, &seen, now),
            };
            self.checks.ask(&step.ask, &about(&state));
            if step.state.is_none() && step.point.is_empty() {
                turned.rollouts.push(super::status(&state, known.began, &seen, now));
                return Ok(if state.is_over() { later } else { due(step.again_at, now) });
            }
            let state: Arc<Rollout> = match step.state {
                None => Arc::new(Rollout::clone(&state)),
                Some(next) => match record(publisher, next).await? {
                    Recording::Lost => {
                        known.forget();
                        continue;
                    }
                    Recording::Ours(next) => {
                        tell(&state, &next);
                        turned.ended |= next.is_over();
                        let known = self.apps.get_mut(app).expect("it was just there");
                        known.take(*next)
                    }
                },
            };
            self.point(publisher, &state, step.point, turned).await?;
        }
        Ok(Instant::now() + BETWEEN_TURNS)
    }

    /// Moves the pointers of `regions`, as far as it can: one that fails keeps none of the others from going back.
    async fn point(
        &mut self,
        publisher: &Publisher,
        state: &Rollout,
        regions: Vec<Region>,
        turned: &mut Turned,
    ) -> Result<(), DriveError> {
        let mut failed = None;
        for region in regions {
            let seen = self.apps.get(&state.app).and_then(|known| known.pointers.get(&region)).cloned();
            let Some(seen) = seen else { continue };
            let pointed = match self.check_whole(publisher, state, &region).await {
                Ok(()) => point(publisher, state, &region, &seen).await.map_err(DriveError::from),
                Err(error) => Err(error),
            };
            match pointed {
                Ok(Pointed::Moved(moved)) => {
                    if state.regions.get(&region).is_some_and(|leg| leg.place == Place::Stable) {
                        turned.completed.push((state.commit.clone(), moved));
                    }
                }
                Ok(Pointed::AsItWas | Pointed::Overtaken) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(known) = self.apps.get_mut(&state.app) {
            known.forget_pointers();
        }
        failed.map_or(Ok(()), Err)
    }

    /// Makes sure that the store still has what agents are to be sent to, and that the trust root allows it, once for each root:
    /// whoever recorded the rollout has read it back, and that may be long ago. Going back needs nothing that agents do not have.
    async fn check_whole(&mut self, publisher: &Publisher, state: &Rollout, region: &Region) -> Result<(), DriveError> {
        let Some(leg) = state.regions.get(region) else { return Ok(()) };
        let goes_on = wanted(state, region)
            .is_some_and(|wanted| wanted.candidate.is_some() || wanted.stable.digest == leg.to.digest);
        let bundle = (state.app.clone(), leg.to.digest, publisher.root().version);
        if goes_on && !self.whole.contains(&bundle) {
            read_back(publisher, &state.app, &leg.to.digest).await.map_err(Box::new)?;
            self.whole.insert(bundle);
        }
        Ok(())
    }
}

/// What a check is asked about.
fn about(state: &Rollout) -> About {
    let wave = match &state.stage {
        Stage::Wave { index, .. } => Some(index + 1),
        Stage::Waiting { .. } | Stage::Preparing { .. } | Stage::Ended(_) => None,
    };
    About {
        app: state.app.clone(),
        rollout: state.id,
        regions: state.regions.keys().cloned().collect(),
        commit: state.commit.clone(),
        wave,
    }
}

/// How long to rest after a turn that took `took`, whatever is heard.
fn rest(took: Duration) -> Duration {
    (took * REST_OF_TURN).clamp(BETWEEN_TURNS, BELIEVED_FOR)
}

/// When to look at a rollout again that is under way.
fn due(again_at: Option<Timestamp>, now: Timestamp) -> Instant {
    let wait = again_at.map_or(BELIEVED_FOR, |at| at.since(now));
    Instant::now() + wait.clamp(Duration::from_millis(20), BELIEVED_FOR)
}

/// One line for each stage, where `next` follows `before`.
fn tell(before: &Rollout, next: &Rollout) {
    let Rollout { app, id, commit, cause, .. } = next;
    let why = cause.why.escape_debug();
    match &next.stage {
        Stage::Ended(schema::rollout::End::Failed { .. } | schema::rollout::End::Aborted { .. }) => {
            tracing::warn!(%app, rollout = %id, %commit, "Rollout {id} of app {app} ended: {why}");
        }
        _ if next.paused.is_some() && before.paused.is_none() => {
            tracing::warn!(%app, rollout = %id, %commit, "Rollout {id} of app {app} stands still: {why}");
        }
        stage if *stage != before.stage => {
            tracing::info!(%app, rollout = %id, %commit, "Rollout {id} of app {app}: {why}");
        }
        _ => tracing::debug!(%app, rollout = %id, %commit, "Rollout {id} of app {app}, state {}: {why}", next.n),
    }
}
