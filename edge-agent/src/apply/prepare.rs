//! Getting a bundle ready: fetched, verified, unpacked and checked, and not switched to.
//!
//! It is the apply path up to `check`. What it leaves behind is a version on the disk; what it proved is the same when the switch
//! is asked for, except for `check`, which is asked again. No intent is recorded, because a crash leaves nothing to finish.

use schema::ack::{Outcome, Step};
use schema::pointer::{Phase, Target};

use super::host::Verdict;
use super::intend::Intended;
use super::setback::brief;
use super::{Accepted, Host, Setback};
use crate::decide::Source;
use crate::journal::{Intent, JournalError};

/// Gets `target` ready, and tells what came of it. Gives up fetching when `overtaken` ends.
///
/// # Errors
/// [`Setback`]: there is no answer yet.
pub(crate) async fn prepare(
    host: &mut Host,
    accepted: &Accepted,
    target: Target,
    source: Source,
    overtaken: impl Future<Output = ()>,
) -> Result<(), Setback> {
    let vouched = Intended::to_prepare(host, accepted, target).await?.vouch(host).await?;
    let staged = match source {
        Source::Running => vouched.running(host),
        Source::Disk | Source::Store => vouched.stage(host, source, overtaken).await?,
    };
    let intent = staged.applied.intent;
    let generation = intent.order.generation;
    match staged.check(host, Phase::Prepare).await? {
        Ok(_) => {
            answer(host, &intent, Outcome::Prepared, None).await?;
            tracing::info!(%generation, bundle = %intent.target, "Prepared generation {generation}");
        }
        Err(bad) => unprepared(host, &intent, bad.step, &bad.reason).await?,
    }
    Ok(())
}

/// Says that `target` would not do, without trying it: `step` refused it here before, and nothing has changed.
///
/// # Errors
/// [`Setback::Disk`] and [`Setback::Journal`].
pub(crate) async fn foresee(host: &mut Host, accepted: &Accepted, target: Target, step: Step) -> Result<(), Setback> {
    let intended = Intended::to_prepare(host, accepted, target).await?;
    let reason = match step {
        Step::Confirm => "nobody confirmed it here before, so it is only taken once it is confirmed".to_owned(),
        step => format!("{step} refused it here before"),
    };
    Ok(unprepared(host, &intended.intent, step, &reason).await?)
}

async fn unprepared(host: &mut Host, intent: &Intent, step: Step, why: &str) -> Result<(), JournalError> {
    let generation = intent.order.generation;
    tracing::warn!(%generation, bundle = %intent.target, "Generation {generation} could not be switched to: {step}: {why}");
    answer(host, intent, Outcome::Unprepared, Some((step, why))).await
}

async fn answer(
    host: &mut Host,
    intent: &Intent,
    outcome: Outcome,
    stopped: Option<(Step, &str)>,
) -> Result<(), JournalError> {
    let verdict = Verdict {
        outcome,
        active: intent.previous.map(|digest| host.as_active(digest, intent.order)),
        step: stopped.map(|(step, _)| step),
        reason: stopped.map(|(step, why)| brief(&format!("{step}: {why}"), &host.site.folder)),
        bundle_bytes: host.moved.of(intent.order),
    };
    host.tell(intent, verdict).await
}
