//! What a keeper does between two waits.

use schema::Digest;
use schema::ack::{Outcome, Step};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::Keeper;
use crate::apply::{self, Accepted, Activated, Host, Setback, Verdict, brief, in_one_line};
use crate::blocking::blocking;
use crate::decide::{self, Next, Report, Situation};
use crate::journal::{Applied, Intent, JournalError};
use crate::tree::failed_at;

/// What came of one look.
enum Looked {
    /// Something was done: look again.
    Acted,
    /// There is nothing to do.
    Idle,
}

impl Keeper {
    /// Does what there is to do, until nothing is left or something must be left alone for a while; says when to look again.
    pub(super) async fn work(&mut self, host: &mut Host) -> Result<Option<Instant>, JournalError> {
        while !host.site.shutdown.is_cancelled() {
            if let Some(until) = self.resting_until.filter(|until| Instant::now() < *until) {
                return Ok(Some(until));
            }
            match self.look(host).await {
                Ok(Looked::Acted) => {
                    self.backoff.forget();
                    self.resting_until = None;
                }
                Ok(Looked::Idle) => return Ok(self.expiry(host)),
                Err(Setback::Journal(error)) => return Err(error),
                Err(Setback::Shutdown) => return Ok(None),
                Err(setback) => {
                    self.resting_until = Some(Instant::now() + self.backoff.failed());
                    self.report(host, &setback).await?;
                }
            }
        }
        Ok(None)
    }

    /// Decides once, and acts on it.
    async fn look(&mut self, host: &mut Host) -> Result<Looked, Setback> {
        self.pointer = self.pointer.take().filter(|accepted| accepted.is_vouched_for(&host.site.trust.newest()));
        match self.decide(host).await? {
            Next::Nothing | Next::Hold(_) => return Ok(Looked::Idle),
            Next::Report(report) => self.tell(host, report).await?,
            Next::FinishSwitch(intent) => {
                let applied = Applied { intent, bundle_bytes: host.moved.of(intent.order) };
                apply::finish_switch(host, applied).await?.prove(host).await?;
                host.collect().await;
            }
            Next::RunHooks(applied) => {
                Activated::before(applied).prove(host).await?;
                host.collect().await;
            }
            Next::Return(bad) => apply::go_back(host, bad).await?,
            Next::Apply(target, source) => {
                let accepted = self.pointer.as_ref().expect("without a pointer there is nothing to apply");
                apply::apply(host, accepted, target, source).await?;
                host.collect().await;
            }
        }
        Ok(Looked::Acted)
    }

    async fn decide(&self, host: &Host) -> Result<Next, Setback> {
        let folder = host.site.folder.clone();
        let looking = blocking(move || {
            let current = folder.active().map_err(failed_at(&folder.current(), "read"))?;
            let on_disk = folder.on_disk().map_err(failed_at(&folder.versions(), "read"))?;
            Ok::<_, Setback>((current, on_disk))
        });
        let (current, on_disk) = looking.await?;
        let next = decide::next(&Situation {
            journal: host.ledger.state(),
            current,
            on_disk: &on_disk,
            pointer: self.pointer.as_ref().map(|accepted| &accepted.pointer),
            root_expires: host.site.trust.newest().expires,
            agent: &host.site.about.agent,
            now: host.now(),
        });
        debug!(?next, "Decided");
        Ok(next)
    }

    /// Tells that the pointer expired, or that it is fresh again.
    async fn tell(&self, host: &mut Host, report: Report) -> Result<(), Setback> {
        let current = host.active().await?;
        let accepted = self.pointer.as_ref().expect("without a pointer there is nothing to report");
        let about = asked_by(accepted, current);
        match (report, host.ledger.state().result_of(about.order).cloned()) {
            (Report::FreshAgain, Some(result)) => {
                let about = Intent { target: result.attempted, previous: result.previous, ..about };
                let (outcome, step, reason) = (result.outcome, result.step, result.reason);
                let (active, bundle_bytes) = (result.active, result.bundle_bytes);
                host.tell(&about, Verdict { outcome, active, step, reason, bundle_bytes }).await?;
            }
            _ => {
                let expires = accepted.pointer.expires.min(host.site.trust.newest().expires);
                warn!(%expires, "STALE: the pointer or the trust root expired; nothing new is applied, nothing is removed");
                let active = current.map(|digest| host.as_active(digest, about.order));
                let reason = Some(format!("expired at {expires}").into());
                let verdict = Verdict { outcome: Outcome::Stale, active, step: None, reason, bundle_bytes: 0 };
                host.tell(&about, verdict).await?;
            }
        }
        Ok(())
    }

    /// Tells of a setback, once for each generation and reason.
    async fn report(&mut self, host: &mut Host, setback: &Setback) -> Result<(), JournalError> {
        let Some((outcome, step)) = setback.verdict() else { return Ok(()) };
        let reason = setback.reason(&host.site.folder);
        let current = host.active().await.ok().flatten();
        let asked = self.pointer.as_ref().map(|accepted| asked_by(accepted, current));
        let Some(about) = asked.or(host.ledger.state().intent) else {
            warn!("Nothing is applied: {}", in_one_line(setback));
            return Ok(());
        };
        let told = host.ledger.state().told_of(about.order);
        if told.is_some_and(|ack| (ack.outcome, ack.step, ack.reason.as_ref()) == (outcome, Some(step), Some(&reason)))
        {
            debug!("Once more: {reason}");
            return Ok(());
        }
        let generation = about.order.generation;
        warn!(%generation, bundle = %about.target, "Generation {generation} is tried again later: {}", in_one_line(setback));
        let active = current.map(|digest| host.as_active(digest, about.order));
        let bundle_bytes = host.moved.of(about.order);
        host.tell(&about, Verdict { outcome, active, step: Some(step), reason: Some(reason), bundle_bytes }).await
    }

    /// Tells that the journal cannot be written. Nothing remembers it, so it may be told again.
    pub(super) fn tell_of_the_journal(&self, host: &Host, error: &JournalError) {
        let Some(accepted) = &self.pointer else { return };
        let about = asked_by(accepted, host.ledger.state().active.map(|active| active.digest));
        let reason = Some(brief(&in_one_line(error), &host.site.folder));
        let (outcome, step) = (Outcome::Failed, Some(Step::Disk));
        let active = host.ledger.state().active;
        host.site.told.send(host.ack(&about, Verdict { outcome, active, step, reason, bundle_bytes: 0 }));
    }
}

/// What a pointer asks for, as an attempt that changes `current`.
fn asked_by(accepted: &Accepted, current: Option<Digest>) -> Intent {
    let pointer = &accepted.pointer;
    Intent {
        order: pointer.order(),
        target: pointer.stable.digest,
        previous: current,
        notified_at: accepted.notified_at,
    }
}
