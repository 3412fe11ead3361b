//! Last step: the service takes up what runs, and shows that it works.

use schema::ack::Step;

use super::host::Verdict;
use super::marks::{PROBED, RELOADED, reached};
use super::setback::in_one_line;
use super::{Activated, Host, Setback, verdict};
use crate::journal::{Applied, Bad};

impl Activated {
    /// A switch that an earlier run of the agent made durable.
    pub(crate) fn before(applied: Applied) -> Activated {
        Activated { applied }
    }

    /// Runs `reload` and `probe`, and makes the result durable; switches back where one of them says no.
    ///
    /// # Errors
    /// [`Setback::Disk`] and [`Setback::Journal`].
    pub(crate) async fn prove(self, host: &mut Host) -> Result<(), Setback> {
        let applied = self.applied;
        if let Some(bad) = refused_by_a_hook(host, applied).await {
            return verdict::judge(host, bad).await;
        }
        let intent = applied.intent;
        let generation = intent.order.generation;
        host.tell(&intent, Verdict::applied(&intent, applied.bundle_bytes)).await?;
        tracing::info!(
            %generation, bundle = %intent.target, bundle_bytes = applied.bundle_bytes,
            "Applied generation {generation}"
        );
        Ok(())
    }
}

async fn refused_by_a_hook(host: &Host, applied: Applied) -> Option<Bad> {
    let intent = applied.intent;
    let setting = host.setting(intent.order, intent.target, intent.previous);
    let hooks = [(Step::Reload, &host.site.hooks.reload, RELOADED), (Step::Probe, &host.site.hooks.probe, PROBED)];
    for (step, hook, mark) in hooks {
        if let Some(hook) = hook
            && let Err(failure) = hook.run(&setting).await
        {
            return Some(Bad { applied, step, reason: in_one_line(&failure) });
        }
        reached(mark);
    }
    None
}
