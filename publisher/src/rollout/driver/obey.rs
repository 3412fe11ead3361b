//! Carries out what operators command.

use std::collections::BTreeMap;

use schema::control::{Command, Done, What};
use schema::pointer::{Cause, Deed};
use schema::{App, Region};

use super::hold::{Hold, hold};
use super::{DriveError, Driver, STEPS_AT_ONCE, Turned, tell};
use crate::control::CommandError;
use crate::kind::ErrorKind;
use crate::publisher::Publisher;
use crate::region::RegionError;
use crate::rollout::records::{Recording, record};

/// Says why this publisher does not do what it was told.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotHere {
    /// It moves no pointers, or not those.
    #[error("this publisher does not have the pointer keys of all regions that it concerns; command the one that has")]
    NoKeys,
    /// Other publishers decide faster.
    #[error("other publishers were first in each of {tries} tries")]
    LostRace {
        /// How often it was tried.
        tries: usize,
    },
}

impl Driver {
    /// Does what `who` commands. The records and pointers that it leads to are written when this returns, or its error says why not.
    ///
    /// # Errors
    /// [`CommandError`]; regions that were done before the one that fails stay done.
    pub(crate) async fn obey(
        &mut self,
        publisher: &Publisher,
        who: &str,
        command: &Command,
    ) -> Result<Done, CommandError> {
        let why = &command.why;
        let done = done(&command.what);
        let changed = match &command.what {
            What::Pause { app }
            | What::Resume { app }
            | What::Promote { app }
            | What::Abort { app }
            | What::Confirm { app } => self.direct(publisher, app, who, command).await,
            What::Freeze { app, region } => {
                let cause = Cause::new(who, Deed::Freeze, why);
                self.hold_all(publisher, (app.as_ref(), region.as_ref()), &Hold::Freeze, &cause, done).await
            }
            What::Unfreeze { app, region } => {
                let cause = Cause::new(who, Deed::Unfreeze, why);
                self.hold_all(publisher, (app.as_ref(), region.as_ref()), &Hold::Unfreeze, &cause, done).await
            }
            What::Quarantine { app, region, agent } => {
                let change = Hold::Quarantine { add: vec![agent.clone()], release: Vec::new() };
                let cause = Cause::new(who, Deed::Quarantine, &format!("{agent}: {why}"));
                self.hold_all(publisher, (Some(app), Some(region)), &change, &cause, &format!("`{agent}` {done}")).await
            }
            What::Release { app, region, agent } => {
                let change = Hold::Quarantine { add: Vec::new(), release: vec![agent.clone()] };
                let cause = Cause::new(who, Deed::Release, &format!("{agent}: {why}"));
                self.hold_all(publisher, (Some(app), Some(region)), &change, &cause, &format!("`{agent}` {done}")).await
            }
        };
        Ok(Done { who: who.into(), changed: changed? })
    }

    /// Commands an app's rollout.
    async fn direct(
        &mut self,
        publisher: &Publisher,
        app: &App,
        who: &str,
        command: &Command,
    ) -> Result<Vec<String>, CommandError> {
        let unknown = || CommandError::Unknown { what: format!("rollout of app `{app}`") };
        if !self.apps.contains_key(app) {
            self.discover(publisher).await.map_err(of_drive)?;
        }
        for _ in 0..STEPS_AT_ONCE {
            let known = self.apps.get_mut(app).ok_or_else(unknown)?;
            // What was read a moment ago may be what another publisher has gone on from.
            known.forget();
            known.refresh(publisher, app).await.map_err(of_drive)?;
            let state = known.state.clone().ok_or_else(unknown)?;
            if !known.drives {
                return Err(CommandError::refused(NotHere::NoKeys));
            }
            let now = publisher.now();
            let reports = known.reports(&*self.fleet, app);
            // No command asks what a check said.
            let verdicts = BTreeMap::new();
            let seen = known.seen(&reports, &verdicts, self.fleet.listening_since());
            let next = crate::rollout::command(&state, &command.what, who, &command.why, &seen, now);
            let Some(next) = next.map_err(CommandError::refused)? else { return Ok(Vec::new()) };
            match record(publisher, next).await.map_err(|error| of_drive(error.into()))? {
                Recording::Lost => {}
                Recording::Ours(next) => {
                    tell(&state, &next);
                    let changed =
                        format!("rollout {} of app `{app}` {}: {}", next.id, done(&command.what), next.cause.why);
                    known.take(*next);
                    self.drive(publisher, app, &mut Turned::default()).await.map_err(of_drive)?;
                    return Ok(vec![changed]);
                }
            }
        }
        Err(CommandError::failed(NotHere::LostRace { tries: STEPS_AT_ONCE }))
    }

    /// Holds, or lets go, all that an operator means.
    async fn hold_all(
        &mut self,
        publisher: &Publisher,
        (app, region): (Option<&App>, Option<&Region>),
        change: &Hold,
        cause: &Cause,
        done: &str,
    ) -> Result<Vec<String>, CommandError> {
        self.discover(publisher).await.map_err(of_drive)?;
        let meant =
            |(of, at): &(App, Region)| app.is_none_or(|app| app == of) && region.is_none_or(|region| region == at);
        let places = self.apps.iter().flat_map(|(app, known)| known.regions.iter().map(|at| (app.clone(), at.clone())));
        let places: Vec<(App, Region)> = places.filter(meant).collect();
        if places.is_empty() {
            let what = match (app, region) {
                (None, None) => "published app".to_owned(),
                (Some(app), None) => format!("published app `{app}`"),
                (None, Some(region)) => format!("published app in region `{region}`"),
                (Some(app), Some(region)) => format!("published app `{app}` in region `{region}`"),
            };
            return Err(CommandError::Unknown { what });
        }
        let (ours, others): (Vec<_>, Vec<_>) =
            places.into_iter().partition(|(_, region)| publisher.duty.moves_pointers() && publisher.signs_for(region));
        let (mut changed, mut failed) = (Vec::new(), None);
        for (app, region) in &ours {
            match hold(publisher, app, region, change, cause).await {
                Ok(None) => {}
                Ok(Some(moved)) => {
                    let generation = moved.order.generation;
                    changed.push(format!("app `{app}` in region `{region}`: {done}, generation {generation}"));
                }
                // The others are to stand still all the same.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        self.again = tokio::time::Instant::now();
        match failed {
            Some(error) => Err(of_region(error)),
            None if !others.is_empty() => Err(CommandError::refused(NotHere::NoKeys)),
            None => Ok(changed),
        }
    }
}

/// What was done, for people.
fn done(what: &What) -> &'static str {
    match what {
        What::Pause { .. } => "is paused",
        What::Resume { .. } => "goes on",
        What::Promote { .. } => "goes a step further",
        What::Abort { .. } => "is given up",
        What::Confirm { .. } => "is confirmed",
        What::Freeze { .. } => "frozen",
        What::Unfreeze { .. } => "no longer frozen",
        What::Quarantine { .. } => "is in quarantine",
        What::Release { .. } => "is out of quarantine",
    }
}

fn of_drive(error: DriveError) -> CommandError {
    match error.kind() {
        ErrorKind::Refused => CommandError::refused(error),
        ErrorKind::LostRace | ErrorKind::Unreachable | ErrorKind::Unexpected => CommandError::failed(error),
    }
}

fn of_region(error: RegionError) -> CommandError {
    of_drive(DriveError::Region(error))
}
