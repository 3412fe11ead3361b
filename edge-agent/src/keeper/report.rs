//! What a keeper tells of when nothing comes to a result.

use schema::Digest;
use schema::ack::{Outcome, Step};
use schema::cycle::Stale;
use tracing::{debug, info, warn};

use super::Keeper;
use crate::apply::{Accepted, Host, Setback, Verdict, brief, clock, in_one_line};
use crate::decide::{Next, Report};
use crate::journal::{Intent, JournalError};
use crate::rule::Rule;

impl Keeper {
    /// Tells that the pointer or the root expired, or that both are fresh again.
    pub(super) async fn tell(&self, host: &mut Host, report: Report) -> Result<(), Setback> {
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
            return Some(asked_by(host, accepted, current));
        }
        let state = host.ledger.state();
        let (seen, until) = state.seen.zip(state.until)?;
        let target = state.told_of(seen.order).map_or(until.stable, |ack| ack.attempted);
        // When it was in hand nobody remembers; not before it was signed.
        let notified_at = state.floor.unwrap_or_else(clock);
        Some(Intent::unrecorded(seen.order, target, current, notified_at))
    }

    /// Tells of a setback, once for each generation and reason.
    ///
    /// `next` is what was tried, if it came to that.
    pub(super) async fn report(
        &mut self,
        host: &mut Host,
        setback: &Setback,
        next: Option<&Next>,
    ) -> Result<(), JournalError> {
        host.site.refused(Rule::of_setback(setback));
        let Some((outcome, step)) = setback.verdict() else { return Ok(()) };
        let reason = setback.reason(&host.site.folder);
        let current = host.active().await.ok().flatten();
        let asked = self.pointer.as_ref().map(|accepted| asked_by(host, accepted, current));
        let Some(about) = asked.or(host.ledger.state().intent) else {
            warn!("Nothing is applied: {}", in_one_line(setback));
            return Ok(());
        };
        let (about, outcome) = match next {
            Some(Next::Prepare(target, _)) => (Intent { target: target.digest, ..about }, Outcome::Unprepared),
            Some(Next::Apply(target, _) | Next::Try(target, ..)) => {
                (Intent { target: target.digest, ..about }, outcome)
            }
            _ => (about, outcome),
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
        let about = asked_by(host, accepted, host.ledger.state().active.map(|active| active.digest));
        let reason = Some(brief(&in_one_line(error), &host.site.folder));
        let (outcome, step) = (Outcome::Failed, Some(Step::Disk));
        let active = host.ledger.state().active;
        host.site.told.send(host.ack(&about, Verdict { outcome, active, step, reason, bundle_bytes: 0 }));
    }
}

/// What a pointer asks for, as an attempt that changes `current`.
fn asked_by(host: &Host, accepted: &Accepted, current: Option<Digest>) -> Intent {
    let pointer = &accepted.pointer;
    let asked = pointer.assignment(host.site.about.member(), host.now());
    let target = asked.run.target().unwrap_or(pointer.stable).digest;
    Intent::unrecorded(pointer.order(), target, current, accepted.notified_at)
}
