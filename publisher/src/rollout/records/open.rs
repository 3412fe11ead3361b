//! Whether bytes are a state of a rollout: signed by the pointer keys of every region that it reaches.
//!
//! In: bytes, trust roots, and which state they should be. Out: the state and the root that vouches for it. As with pointers,
//! keys that were replaced may have spoken before those that replaced them, and not after.

use bytes::Bytes;
use schema::seal::SealError;
use schema::{App, Limits, RoleKeys, Rollout, RolloutId, Sealed, StorePath, TrustRoot, Verified};
use store::Failure;

use super::error::{NotTheState, RecordFault};
use crate::publisher::Publisher;

/// A state that a root of the epoch in force vouches for.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) rollout: Verified<Rollout>,
    /// Version of the newest root that vouches for it.
    version: u64,
}

/// Reads state `n` of a rollout; none where the store has none.
pub(super) async fn state(
    publisher: &Publisher,
    app: &App,
    id: RolloutId,
    n: u64,
) -> Result<Option<Opened>, RecordFault> {
    let path = StorePath::Rollout { app: app.clone(), id, n };
    let damaged = |source| RecordFault::Damaged { object: Box::new(path.clone()), source };
    let object = match publisher.store.read(&path, Limits::DEFAULT.rollout_max_bytes).await {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(None),
        Err(error) => match error.kind {
            Failure::TooLarge { max_bytes, .. } => return Err(damaged(SealError::TooLarge { max_bytes }.into())),
            _ => return Err(error.into()),
        },
    };
    let opened = vouched(publisher, object.bytes).map_err(damaged)?;
    let is_it = (&opened.rollout.app, opened.rollout.id, opened.rollout.n) == (app, id, n);
    if is_it { Ok(Some(opened)) } else { Err(damaged(NotTheState::Other)) }
}

/// Refuses a state that keys out of force signed after those that replaced them had spoken.
pub(super) async fn check_speaks_first(publisher: &Publisher, opened: &Opened) -> Result<(), RecordFault> {
    let Opened { rollout, version } = opened;
    if *version == publisher.root().version || rollout.n == 1 {
        return Ok(());
    }
    let before = state(publisher, &rollout.app, rollout.id, rollout.n - 1).await?;
    match before {
        Some(before) if before.version > *version => Err(RecordFault::Damaged {
            object: Box::new(StorePath::Rollout { app: rollout.app.clone(), id: rollout.id, n: rollout.n }),
            source: NotTheState::Superseded { version: *version },
        }),
        _ => Ok(()),
    }
}

/// The newest root of the epoch in force that vouches for `bytes`.
///
/// # Errors
/// [`NotTheState`]; [`NotTheState::EarlierEpoch`] where only a root of an epoch that is over does.
fn vouched(publisher: &Publisher, bytes: Bytes) -> Result<Opened, NotTheState> {
    let mut refused = None;
    for root in publisher.roots.of_epoch(publisher.root().epoch) {
        match under(root, bytes.clone()) {
            Ok(rollout) => return Ok(Opened { rollout, version: root.version }),
            Err(error) => _ = refused.get_or_insert(error),
        }
    }
    match publisher.roots.before_epoch(publisher.root().epoch).find(|root| under(root, bytes.clone()).is_ok()) {
        Some(root) => Err(NotTheState::EarlierEpoch { epoch: root.epoch }),
        None => Err(refused.expect("the newest root is of its own epoch")),
    }
}

/// Opens a state under one root.
///
/// # Errors
/// [`NotTheState`], first of all where no pointer role of the root signed it: nothing of it is read before one did.
pub(super) fn under(root: &TrustRoot, bytes: Bytes) -> Result<Verified<Rollout>, NotTheState> {
    let sealed = Sealed::parse::<Rollout>(bytes, &Limits::DEFAULT)?;
    let mut roles = std::iter::once(&root.pointer).chain(root.pointer_of_region.values());
    let opened = roles.find_map(|role| match sealed.clone().verify::<Rollout>(role) {
        Err(SealError::Threshold { .. }) => None,
        opened => Some(opened),
    });
    let rollout = match opened {
        Some(opened) => opened?,
        None => return Err(too_few(&sealed, &root.pointer).into()),
    };
    // One region's keys say nothing for another.
    for region in rollout.regions.keys() {
        let role = root.pointer_keys(region);
        sealed
            .clone()
            .verify::<Rollout>(role)
            .map_err(|source| NotTheState::OneRegion { region: region.clone(), source })?;
    }
    Ok(rollout)
}

fn too_few(sealed: &Sealed, role: &RoleKeys) -> SealError {
    SealError::Threshold { signed: sealed.signers(role).len(), threshold: role.threshold() }
}
