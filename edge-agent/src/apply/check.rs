//! Fifth step: what the `check` hook says of the staged tree, before anything changes.

use schema::Digest;
use schema::ack::Step;
use schema::pointer::Phase;

use super::marks::CHECKED;
use super::setback::in_one_line;
use super::stage::Staged;
use super::{Host, Setback};
use crate::hook::Setting;
use crate::journal::{Applied, Bad};

/// A generation that may be switched to.
pub(crate) struct Checked {
    pub(super) applied: Applied,
    /// The trust root that vouched for it.
    pub(super) root: Digest,
}

impl Staged {
    /// Runs `check`, if there is one, and lets it know what the tree is for.
    ///
    /// # Errors
    /// [`Setback::Shutdown`]. A hook that says no is no error but a verdict.
    pub(super) async fn check(self, host: &mut Host, phase: Phase) -> Result<Result<Checked, Bad>, Setback> {
        let Staged { applied, root } = self;
        if let Some(hook) = &host.site.hooks.check {
            let intent = applied.intent;
            let setting = Setting { phase, ..host.setting(intent.order, intent.target, intent.previous) };
            if let Err(failure) = hook.run(&setting).await {
                return Ok(Err(Bad { applied, step: Step::Check, reason: in_one_line(&failure) }));
            }
        }
        host.passed(CHECKED)?;
        Ok(Ok(Checked { applied, root }))
    }
}
