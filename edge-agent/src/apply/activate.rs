//! Sixth step: the switch. From here on a stop of the agent waits for the result.

use super::check::Checked;
use super::marks::{APPLIED, SWITCH_SYNCED, SWITCHED, reached};
use super::{Host, Setback};
use crate::blocking::blocking;
use crate::journal::{Applied, Record};
use crate::tree::failed_at;

/// A generation that runs, and that the service may not know of yet.
pub(crate) struct Activated {
    pub(super) applied: Applied,
}

impl Checked {
    /// Switches `current` and makes that durable, unless a newer trust root was walked to since the manifest was vouched for:
    /// it may have taken the bundle back.
    ///
    /// # Errors
    /// [`Setback::Overtaken`], and nothing was switched; [`Setback::Disk`] and [`Setback::Journal`]; the switch may be there, which the next decision finds out.
    pub(super) async fn activate(self, host: &mut Host) -> Result<Activated, Setback> {
        if host.site.trust.newest().payload_digest() != self.root {
            return Err(Setback::Overtaken);
        }
        finish_switch(host, self.applied).await
    }
}

/// Makes the switch, or makes it again where it happened and its record did not: whoever reads through `current` sees no
/// difference, and a link that could not be synced is not relied on.
pub(crate) async fn finish_switch(host: &mut Host, applied: Applied) -> Result<Activated, Setback> {
    let target = applied.intent.target;
    let (folder, synced) = (host.site.folder.clone(), host.site.folder.clone());
    blocking(move || folder.switch(&target).map_err(failed_at(&folder.current(), "switched"))).await?;
    reached(SWITCHED);
    blocking(move || synced.sync().map_err(failed_at(synced.path(), "synced"))).await?;
    reached(SWITCH_SYNCED);
    // Counted from the end of the switch, so that nobody has less than his time.
    let applied = Applied { at: host.now(), ..applied };
    host.ledger.append(Record::Applied(applied)).await?;
    reached(APPLIED);
    Ok(Activated { applied })
}
