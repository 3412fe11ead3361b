//! What a keeper does between two waits.

use schema::Digest;
use schema::ack::{Outcome, Step};
use schema::cycle::Stale;
use schema::pointer::Target;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Keeper;
use super::observe::Meanwhile;
use crate::apply::{self, Accepted, Activated, Host, Setback, Verdict, brief, clock, in_one_line};
use crate::blocking::blocking;
use crate::decide::{self, Next, Report, Situation, Source};
use crate::journal::{Applied, Intent, JournalError};
use crate::rule::Rule;
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
        let root = host.site.trust.newest();
        if self.pointer.take_if(|accepted| !accepted.is_vouched_for(&root)).is_some() {
            warn!(
                version = root.version,
                "Trust root {} no longer knows who signed the pointer; a newer one is awaited", root.version
            );
        }
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
            Next::Apply(target, source) => self.apply(host, target, source).await?,
        }
        Ok(Looked::Acted)
    }

    /// Applies `target`, and goes on following while its bundle is fetched.
    async fn apply(&mut self, host: &mut Host, target: Target, source: Source) -> Result<(), Setback> {
        let accepted = self.pointer.clone().expect("without a pointer there is nothing to apply");
        let mut meanwhile = Meanwhile::new(self.ear(host), target.digest);
        let applied = apply::apply(host, &accepted, target, source, meanwhile.overtaken()).await;
        if let Some((newer, succession)) = meanwhile.heard {
            self.accept(host, newer, succession).await?;
        }
        match applied {
            Ok(()) => host.collect().await,
            Err(Setback::Overtaken) => {
                info!("A newer pointer or trust root came while a bundle was fetched: decided anew")
            }
            Err(setback) => return Err(setback),
        }
        Ok(())
    }

    async fn decide(&self, host: &Host) -> Result<Next, Setback> {
        let folder = host.site.folder.clone();
        let looking = blocking(move || {
            let current = folder.active().map_err(failed_at(&folder.current(), "read"))?;
            let on_disk = folder.on_disk().map_err(failed_at(&folder.versions(), "read"))?;
            Ok::<_, Setback>((current, on_disk))
        });
        let (current, on_disk) = looking.await?;
        let root = host.site.trust.newest();
        let next = decide::next(&Situation {
            journal: host.ledger.state(),
            current,
            on_disk: &on_disk,
            pointer: self.pointer.as_ref().map(|accepted| &accepted.pointer),
            root: &root,
            agent: &host.site.about.agent,
            now: host.now(),
        });
        debug!(?next, "Decided");
        Ok(next)
    }

    /// Tells that the pointer or the root expired, or that both are fresh again.
    async fn tell(&self, host: &mut Host, report: Report) -> Result<(), Setback> {
        if let Report::Stale(stale) = report {
            return self.tell_stale(host, stale).await;
        }
        info!("Fresh again: what was told before it was stale is told anew");
        Ok(host.tell_again().await?)
    }

    async fn tell_stale(&self, host: &mut Host, stale: Stale) -> Result<(), Setback> {
        let current = host.active().await?;
        let Some(about) = self.asked(host, current) else { return Ok(()) };
        warn!("STALE: {stale}; nothing new is applied, nothing is removed");
        let active = current.map(|digest| host.as_active(digest, about.order));
        let reason = Some(stale.to_string().into());
        let verdict = Verdict { outcome: Outcome::Stale, active, step: None, reason, bundle_bytes: 0 };
        Ok(host.tell(&about, verdict).await?)
    }

    /// What the newest pointer asks for, be it in hand or only remembered.
    pub(super) fn asked(&self, host: &Host, current: Option<Digest>) -> Option<Intent> {
        if let Some(accepted) = &self.pointer {
            return Some(asked_by(accepted, current));
        }
        let state = host.ledger.state();
        let (seen, until) = state.seen.zip(state.until)?;
        // When it was in hand nobody remembers; not before it was signed.
        let notified_at = state.floor.unwrap_or_else(clock);
        Some(Intent { order: seen.order, target: until.stable, previous: current, notified_at })
    }

    /// Tells of a setback, once for each generation and reason.
    async fn report(&mut self, host: &mut Host, setback: &Setback) -> Result<(), JournalError> {
        host.site.refused(Rule::of_setback(setback));
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
