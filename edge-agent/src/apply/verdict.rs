//! What follows when a hook says no, or when nobody says yes in time: the verdict is durable first, then the way back is taken, then the result is told.
//!
//! A crash in between finds the verdict and goes on from there; a bundle that was judged is not tried again for its generation.

use schema::ack::{Outcome, Step};
use schema::pointer::Target;

use super::host::Verdict;
use super::setback::{brief, in_one_line};
use super::{Accepted, Host, Setback};
use crate::blocking::blocking;
use crate::journal::{Bad, Intent, Record};
use crate::tree::{DiskError, failed_at};

/// Records the verdict and acts on it.
pub(crate) async fn judge(host: &mut Host, bad: Bad) -> Result<(), Setback> {
    host.ledger.append(Record::Bad(bad.clone())).await?;
    go_back(host, bad).await
}

/// Says that `target` is not tried again, because it went from here unconfirmed before.
///
/// # Errors
/// [`Setback::Disk`] and [`Setback::Journal`].
pub(crate) async fn decline(host: &mut Host, accepted: &Accepted, target: Target) -> Result<(), Setback> {
    let (order, current) = (accepted.pointer.order(), host.active().await?);
    let about = Intent::unrecorded(order, target.digest, current, accepted.notified_at);
    let generation = order.generation;
    tracing::warn!(%generation, bundle = %target.digest, "Generation {generation} is not tried: nobody confirmed its bundle before");
    let verdict = Verdict {
        outcome: Outcome::Failed,
        active: current.map(|digest| host.as_active(digest, order)),
        step: Some(Step::Confirm),
        reason: Some("confirm: nobody confirmed it here before, so it is only taken once it is confirmed".into()),
        bundle_bytes: 0,
    };
    Ok(host.tell(&about, verdict).await?)
}

/// Switches back to what ran before, if that did not happen yet, lets the service take it up again, and tells the result.
///
/// Where there is nothing to go back to, what failed stays: it was signed and `check` agreed, and a host is never left with
/// nothing at all. The service may only not be up yet, and need its configuration to come up.
pub(crate) async fn go_back(host: &mut Host, bad: Bad) -> Result<(), Setback> {
    let intent = bad.applied.intent;
    let mut reason = format!("{}: {}", bad.step, bad.reason);
    if bad.step != Step::Check {
        switch_back(host, &intent).await?;
        if let Err(failure) = reload_previous(host, &intent).await {
            tracing::error!(generation = %intent.order.generation, "The version before does not reload: {failure}");
            reason.push_str("; and the version before does not reload: ");
            reason.push_str(&failure);
        }
    }
    let active = host.active().await?.map(|digest| host.as_active(digest, intent.order));
    let generation = intent.order.generation;
    tracing::error!(%generation, bundle = %intent.target, "Generation {generation} failed and is not tried again: {reason}");
    let verdict = Verdict {
        outcome: Outcome::Failed,
        active,
        step: Some(bad.step),
        reason: Some(brief(&reason, &host.site.folder)),
        bundle_bytes: bad.applied.bundle_bytes,
    };
    host.tell(&intent, verdict).await?;
    Ok(())
}

async fn switch_back(host: &Host, intent: &Intent) -> Result<(), DiskError> {
    let (folder, target, previous) = (host.site.folder.clone(), intent.target, intent.previous);
    blocking(move || {
        let current = folder.current();
        if folder.active().map_err(failed_at(&current, "read"))? != Some(target) {
            return Ok(());
        }
        let Some(previous) = previous else { return Ok(()) };
        let place = folder.version(&previous);
        if !folder.has(&previous).map_err(failed_at(&place, "read"))? {
            tracing::error!(bundle = %previous, "The version before was removed by somebody, so what failed stays");
            return Ok(());
        }
        folder.switch(&previous).map_err(failed_at(&current, "switched back"))?;
        folder.sync().map_err(failed_at(folder.path(), "synced"))
    })
    .await
}

async fn reload_previous(host: &Host, intent: &Intent) -> Result<(), Box<str>> {
    let (Some(hook), Some(previous)) = (&host.site.hooks.reload, intent.previous) else { return Ok(()) };
    let setting = host.setting(intent.order, previous, Some(intent.target));
    hook.run(&setting).await.map_err(|failure| in_one_line(&failure))
}
