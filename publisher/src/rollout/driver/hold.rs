//! Holds agents of a region where they are, or lets them go: a new generation that names the same bundles.

use schema::pointer::Cause;
use schema::{AgentId, App, Pointer, Region};

use crate::plan;
use crate::publish::{Draft, Moved, Signing, TRIES, announce};
use crate::publisher::Publisher;
use crate::region::{self, RegionError, RegionFault};

/// What is to become of a region's agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// All of them stay on what they run.
    Freeze,
    /// All of them go on.
    Unfreeze,
    /// Some are left out, some come back.
    Quarantine {
        /// Who is left out.
        add: Vec<AgentId>,
        /// Who comes back.
        release: Vec<AgentId>,
    },
}

impl Hold {
    /// Who is in quarantine after it and whether all are frozen; none where `pointer` says so already.
    fn on(&self, pointer: &Pointer) -> Option<(Vec<AgentId>, bool)> {
        let (mut quarantine, mut freeze) = (pointer.quarantine.clone(), pointer.freeze);
        match self {
            Hold::Freeze => freeze = true,
            Hold::Unfreeze => freeze = false,
            Hold::Quarantine { add, release } => {
                quarantine.retain(|agent| !release.contains(agent));
                quarantine.extend(add.iter().filter(|agent| !pointer.quarantine.contains(agent)).cloned());
                quarantine.sort();
                quarantine.dedup();
            }
        }
        let is_new = (&quarantine, freeze) != (&pointer.quarantine, pointer.freeze);
        is_new.then_some((quarantine, freeze))
    }
}

/// Announces `hold` in a region. None where it is so already.
///
/// # Errors
/// [`RegionError`]; [`RegionFault::NothingThere`] where nothing was ever published.
pub(super) async fn hold(
    publisher: &Publisher,
    app: &App,
    region: &Region,
    hold: &Hold,
    cause: &Cause,
) -> Result<Option<Moved>, RegionError> {
    for _ in 0..TRIES {
        let state = region::settle(publisher, app, region).await?;
        let Some(newest) = &state.newest else { return Err(state.error(RegionFault::NothingThere)) };
        let Some((quarantine, freeze)) = hold.on(newest) else { return Ok(None) };
        let order = plan::following(newest, publisher.root().epoch).map_err(|error| state.error(error))?;
        let draft = Draft::holding(newest, quarantine, freeze, Signing::under(order, publisher)).because(cause);
        if let Some(moved) = announce(publisher, state, draft).await? {
            tracing::warn!(
                %app, %region, generation = %moved.order.generation,
                "{} of app {app} in {region} by {}: {}", cause.deed, cause.who.escape_debug(), cause.why.escape_debug(),
            );
            return Ok(Some(moved));
        }
    }
    Err(RegionError { app: app.clone(), region: region.clone(), fault: RegionFault::LostRace { tries: TRIES } })
}
