//! What a keeper does between two waits.

use std::time::Duration;

use schema::pointer::Target;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::observe::Meanwhile;
use super::{Keeper, until};
use crate::apply::{self, Activated, Attempt, Host, Setback};
use crate::blocking::blocking;
use crate::decide::{self, Next, Situation, Source};
use crate::journal::{JournalError, Record};
use crate::tree::failed_at;

impl Keeper {
    /// Does what there is to do, until nothing is left or something must be left alone for a while; says when to look again.
    pub(super) async fn work(&mut self, host: &mut Host) -> Result<Option<Instant>, JournalError> {
        while !host.site.shutdown.is_cancelled() {
            if let Some(until) = self.resting_until.filter(|until| Instant::now() < *until) {
                return Ok(Some(until));
            }
            let mut next = None;
            match self.look(host, &mut next).await {
                Ok(()) if matches!(next, Some(Next::Nothing | Next::Hold(_))) => return Ok(self.due(host)),
                Ok(()) => {
                    self.backoff.forget();
                    self.resting_until = None;
                }
                Err(Setback::Journal(error)) => return Err(error),
                Err(Setback::Shutdown) => return Ok(None),
                Err(setback) => {
                    let rested = Instant::now() + self.backoff.failed();
                    // However badly it goes, a trial ends in time.
                    self.resting_until = Some(self.trial_over(host).map_or(rested, |over| over.min(rested)));
                    self.report(host, &setback, next.as_ref()).await?;
                }
            }
        }
        Ok(None)
    }

    /// Decides once, and acts on it; `decided` says what it was.
    async fn look(&mut self, host: &mut Host, decided: &mut Option<Next>) -> Result<(), Setback> {
        let root = host.site.trust.newest();
        if self.pointer.take_if(|accepted| !accepted.is_vouched_for(&root)).is_some() {
            warn!(
                version = root.version,
                "Trust root {} no longer knows who signed the pointer; a newer one is awaited", root.version
            );
        }
        let next = decided.insert(self.decide(host).await?).clone();
        match next {
            Next::Nothing | Next::Hold(_) => {}
            Next::Report(report) => self.tell(host, report).await?,
            Next::FinishSwitch(intent) => {
                apply::finish_switch(host, host.applied(intent)).await?.prove(host).await?;
                host.collect().await;
            }
            Next::RunHooks(applied) => {
                Activated::before(applied).prove(host).await?;
                host.collect().await;
            }
            Next::Return(bad) => apply::go_back(host, bad).await?,
            Next::GiveUp(bad) => apply::judge(host, bad).await?,
            Next::Confirm(digest) => {
                host.ledger.append(Record::Confirmed { digest }).await?;
                info!(bundle = %digest, "What ran on trial may stay");
            }
            Next::Apply(target, source) => {
                self.fetching(host, Doing::Apply(Attempt { target, source, confirm_within: None })).await?;
            }
            Next::Try(target, source, within) => {
                self.fetching(host, Doing::Apply(Attempt { target, source, confirm_within: Some(within) })).await?;
            }
            Next::Prepare(target, source) => self.fetching(host, Doing::Prepare(target, source)).await?,
            Next::Decline(target) => apply::decline(host, &self.in_hand(), target).await?,
            Next::Foresee(target, step) => apply::foresee(host, &self.in_hand(), target, step).await?,
        }
        Ok(())
    }

    /// Does what may take a download, and goes on following meanwhile. A trial whose time is over does not wait for it.
    async fn fetching(&mut self, host: &mut Host, doing: Doing) -> Result<(), Setback> {
        let (accepted, over) = (self.in_hand(), self.trial_over(host));
        let runs = host.active().await?;
        let mut meanwhile = Meanwhile::new(self.ear(host), doing.target().digest, runs);
        let overtaken = async {
            tokio::select! {
                () = meanwhile.overtaken() => {}
                () = until(over) => {}
            }
        };
        let done = match doing {
            Doing::Apply(attempt) => apply::apply(host, &accepted, attempt, overtaken).await,
            Doing::Prepare(target, source) => apply::prepare(host, &accepted, target, source, overtaken).await,
        };
        if let Some((newer, succession)) = meanwhile.heard {
            self.accept(host, newer, succession).await?;
        }
        match done {
            Ok(()) => host.collect().await,
            Err(Setback::Overtaken) => {
                info!("Something else is to be done since a bundle is fetched: decided anew")
            }
            Err(setback) => return Err(setback),
        }
        Ok(())
    }

    /// The pointer that asks for something.
    fn in_hand(&self) -> apply::Accepted {
        self.pointer.clone().expect("without a pointer there is nothing to do for one")
    }

    async fn decide(&mut self, host: &Host) -> Result<Next, Setback> {
        let folder = host.site.folder.clone();
        let looking = blocking(move || {
            let current = folder.active().map_err(failed_at(&folder.current(), "read"))?;
            let on_disk = folder.on_disk().map_err(failed_at(&folder.versions(), "read"))?;
            Ok::<_, Setback>((current, on_disk))
        });
        let (current, on_disk) = looking.await?;
        let root = host.site.trust.newest();
        self.watch(host);
        let situation = Situation {
            journal: host.ledger.state(),
            current,
            on_disk: &on_disk,
            pointer: self.pointer.as_ref().map(|accepted| &accepted.pointer),
            root: &root,
            member: host.site.about.member(),
            now: host.now(),
            watched: self.watched(),
        };
        let next = decide::next(&situation);
        self.turn = decide::again_in(&situation).map(|left| Instant::now() + left + TICK);
        debug!(?next, "Decided");
        Ok(next)
    }

    /// When to look again though nothing is heard.
    fn due(&self, host: &Host) -> Option<Instant> {
        self.expiry(host).into_iter().chain(self.turn).min()
    }

    /// Takes note of a trial that began, or began anew.
    fn watch(&mut self, host: &Host) {
        let since = host.ledger.state().trial.map(|trial| trial.since);
        if self.watching.map(|(trial, _)| trial) != since {
            self.watching = since.map(|since| (since, Instant::now()));
        }
    }

    fn watched(&self) -> Duration {
        self.watching.map(|(_, since)| since.elapsed()).unwrap_or_default()
    }

    /// When the time of the trial at hand will be over, unless there is none or it is over.
    fn trial_over(&mut self, host: &Host) -> Option<Instant> {
        self.watch(host);
        let left = host.ledger.state().trial_left(host.now(), self.watched());
        left.filter(|left| !left.is_zero()).map(|left| Instant::now() + left + TICK)
    }
}

/// What may take a download.
#[derive(Clone, Copy)]
enum Doing {
    Apply(Attempt),
    Prepare(Target, Source),
}

impl Doing {
    fn target(&self) -> Target {
        match self {
            Doing::Apply(attempt) => attempt.target,
            Doing::Prepare(target, _) => *target,
        }
    }
}

/// The clock of the runtime may be a little ahead of the host's.
pub(super) const TICK: Duration = Duration::from_millis(5);
