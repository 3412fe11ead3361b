//! The states of rollouts in the store: read, verified, and created one after the other.
//!
//! In: the store, the trust roots, and states to record. Out: verified states, newest first where several are asked for. A
//! state that does not verify is an error that is told: it never counts as "no rollout". Creating the record of a state is
//! where two publishers are told apart, as with pointers.

mod error;
mod open;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use schema::keys::SecretKey;
use schema::{App, Limits, Region, Rollout, RolloutId, StorePath, Timestamp, Verified};
use store::{Created, Failure};

pub use error::{NotTheState, RecordError, RecordFault};

use crate::publisher::Publisher;

/// What came of recording a state.
#[derive(Debug)]
pub(crate) enum Recording {
    /// It is the rollout's state now.
    Ours(Box<Verified<Rollout>>),
    /// Another publisher has decided otherwise: everything is to be read and decided again.
    Lost,
}

/// The ids of all rollouts of `app`, in ascending order.
///
/// # Errors
/// [`RecordError`] where they cannot be listed.
pub(crate) async fn ids(publisher: &Publisher, app: &App) -> Result<Vec<RolloutId>, RecordError> {
    let listed = publisher.store.rollouts(app).await;
    listed.map_err(|error| RecordError { app: app.clone(), fault: error.into() })
}

/// The newest state of a rollout; none where it has its folder and no state, because its first is being written, and where it
/// is of an epoch that is over: its regions begin anew, as their pointers do.
///
/// # Errors
/// [`RecordError`] where the store fails, or the newest state is not what it must be.
pub(crate) async fn newest(
    publisher: &Publisher,
    app: &App,
    id: RolloutId,
) -> Result<Option<Verified<Rollout>>, RecordError> {
    let read = async {
        let Some(n) = publisher.store.states(app, id).await?.pop() else { return Ok(None) };
        let opened = match open::state(publisher, app, id, n).await {
            Err(RecordFault::Damaged { source: NotTheState::EarlierEpoch { epoch }, .. }) => {
                tracing::debug!(%app, %id, "Rollout {id} of app {app} is of epoch {epoch}, which is over, and counts no more");
                return Ok(None);
            }
            opened => opened?.ok_or(RecordFault::Contested)?,
        };
        open::check_speaks_first(publisher, &opened).await?;
        Ok(Some(opened.rollout))
    };
    read.await.map_err(|fault| RecordError { app: app.clone(), fault })
}

/// When a rollout began: when its first state was decided.
///
/// # Errors
/// [`RecordError`] where the store fails, or the first state is not what it must be.
pub(crate) async fn began(publisher: &Publisher, app: &App, id: RolloutId) -> Result<Option<Timestamp>, RecordError> {
    let first = open::state(publisher, app, id, 1).await;
    let first = first.map_err(|fault| RecordError { app: app.clone(), fault })?;
    Ok(first.map(|first| first.rollout.at))
}

/// Whether this publisher may record states of a rollout that reaches `regions`: it moves pointers, and in all of them.
pub(crate) fn drives<'r>(publisher: &Publisher, mut regions: impl Iterator<Item = &'r Region>) -> bool {
    publisher.duty.moves_pointers() && regions.all(|region| publisher.signs_for(region))
}

/// Records `state`, sealed with the pointer keys of every region that it reaches.
///
/// # Errors
/// [`RecordError`]; where the store did not answer, the record may be there, and whoever reads next finds out.
pub(crate) async fn record(publisher: &Publisher, state: Rollout) -> Result<Recording, RecordError> {
    let app = state.app.clone();
    create(publisher, state).await.map_err(|fault| RecordError { app, fault })
}

async fn create(publisher: &Publisher, state: Rollout) -> Result<Recording, RecordFault> {
    let path = StorePath::Rollout { app: state.app.clone(), id: state.id, n: state.n };
    let keys = keys(publisher, &state);
    let sealed = Verified::seal(state, &keys);
    // What others would not believe must fail here, and not when they need it.
    let opened = open::under(publisher.root(), sealed.bytes().clone());
    opened.map_err(|source| RecordFault::Unsigned { object: Box::new(path.clone()), source })?;
    if sealed.bytes().len() as u64 > Limits::DEFAULT.rollout_max_bytes {
        return Err(RecordFault::TooLarge { object: Box::new(path) });
    }
    match publisher.store.create(&path, sealed.bytes().clone()).await {
        Ok(Created::New | Created::Same) => {
            // A crash from here on leaves a state whose pointers lag: whoever finds it announces them.
            fail::fail_point!("rollout-recorded");
            Ok(Recording::Ours(Box::new(sealed)))
        }
        Ok(Created::Taken(_)) => Ok(Recording::Lost),
        Err(error) if matches!(error.kind, Failure::TooLarge { .. }) => Ok(Recording::Lost),
        Err(error) => Err(error.into()),
    }
}

/// The keys that agents and publishers of all these regions believe, each once.
fn keys<'p>(publisher: &'p Publisher, state: &Rollout) -> Vec<&'p SecretKey> {
    let mut seen = BTreeSet::new();
    let each = state.regions.keys().filter_map(|region| publisher.keys.for_pointer(publisher.root(), region)).flatten();
    each.filter(|key| seen.insert(key.public().fingerprint())).collect()
}
