//! Lists what a store has: apps, regions, trust roots, rollouts and their states, and the history of one region.
//!
//! In: a folder. Out: the names in it, parsed and sorted. A name that is not ours is passed over with a warning, because
//! a stray file must not stop a release; a listing that cannot be had is an error, because it must not look empty.

use std::collections::BTreeSet;

use futures_util::TryStreamExt as _;
use object_store::path::Path;
use schema::keys::Fingerprint;
use schema::rollout::RolloutId;
use schema::{App, Digest, Order, Region, StorePath};
use tokio::time::timeout;
use tracing::warn;

use crate::Store;
use crate::error::{Doing, Failure, StoreError};
use crate::patience::STALL;

/// What [`Store::seals`] finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seals {
    /// Bundles, each with a key that is said to have signed its manifest.
    pub pieces: Vec<(Digest, Fingerprint)>,
    /// Bundles that have a manifest.
    pub manifests: BTreeSet<Digest>,
}

/// Names in one listing; more is no store of ours.
const NAMES_MAX: usize = 1_000_000;

impl Store {
    /// Lists the orders of all history records of a region after `after`, or all, in ascending order.
    ///
    /// In a bucket the cost grows with what is new; in a directory all names are read, but nothing else of them.
    ///
    /// # Errors
    ///
    /// Any that leaves the listing incomplete.
    pub async fn history_after(
        &self,
        app: &App,
        region: &Region,
        after: Option<Order>,
    ) -> Result<Vec<Order>, StoreError> {
        let folder = StorePath::history_of(app, region);
        let after = after.map(|order| format!("{folder}/{}", order.record_name()));
        let mut orders = self
            .names(&folder, after, |path| match path {
                StorePath::History { order, .. } => Some(order),
                _ => None,
            })
            .await?;
        orders.sort_unstable();
        Ok(orders)
    }

    /// Lists the versions of all trust roots, in ascending order.
    ///
    /// # Errors
    ///
    /// Any that leaves the listing incomplete.
    pub async fn root_versions(&self) -> Result<Vec<u64>, StoreError> {
        let mut versions = self
            .names(StorePath::TRUST, None, |path| match path {
                StorePath::Root { version } => Some(version),
                _ => None,
            })
            .await?;
        versions.sort_unstable();
        Ok(versions)
    }

    /// Lists the signatures that wait for others, and the manifests that need no more, among the bundles of `app`.
    ///
    /// # Errors
    ///
    /// Any that leaves the listing incomplete.
    pub async fn seals(&self, app: &App) -> Result<Seals, StoreError> {
        enum Seal {
            Piece(Digest, Fingerprint),
            Manifest(Digest),
            Neither,
        }
        let folder = StorePath::bundles_of(app);
        let found = self.names(&folder, None, |path| match path {
            StorePath::Piece { digest, key, .. } => Some(Seal::Piece(digest, key)),
            StorePath::Manifest { digest, .. } => Some(Seal::Manifest(digest)),
            StorePath::Bundle { .. } | StorePath::Resealed { .. } | StorePath::Patch { .. } => Some(Seal::Neither),
            _ => None,
        });
        let mut seals = Seals::default();
        for seal in found.await? {
            match seal {
                Seal::Piece(digest, key) => seals.pieces.push((digest, key)),
                Seal::Manifest(digest) => {
                    seals.manifests.insert(digest);
                }
                Seal::Neither => {}
            }
        }
        seals.pieces.sort_unstable();
        Ok(seals)
    }

    /// Lists the apps that have objects, in ascending order.
    ///
    /// # Errors
    ///
    /// Any that leaves the listing incomplete.
    pub async fn apps(&self) -> Result<Vec<App>, StoreError> {
        self.folders(StorePath::APPS).await
    }

    /// Lists the regions that have a pointer or history of `app`, in ascending order.
    ///
    /// # Errors
    ///
    /// Any that leaves the listing incomplete.
    pub async fn regions(&self, app: &App) -> Result<Vec<Region>, StoreError> {
        self.folders(&StorePath::regions_of(app)).await
    }

    /// Lists the rollouts of `app`, in ascending order.
    ///
    /// # Errors
    ///
    /// Any that leaves the listing incomplete.
    pub async fn rollouts(&self, app: &App) -> Result<Vec<RolloutId>, StoreError> {
        let mut rollouts: Vec<RolloutId> = self.folders(&StorePath::rollouts_of(app)).await?;
        // A folder whose number is written otherwise is nothing of ours.
        rollouts.dedup();
        Ok(rollouts)
    }

    /// Lists the numbers of the states that a rollout has been in, in ascending order.
    ///
    /// # Errors
    ///
    /// Any that leaves the listing incomplete.
    pub async fn states(&self, app: &App, id: RolloutId) -> Result<Vec<u64>, StoreError> {
        let mut states = self
            .names(&StorePath::states_of(app, id), None, |path| match path {
                StorePath::Rollout { n, .. } => Some(n),
                _ => None,
            })
            .await?;
        states.sort_unstable();
        Ok(states)
    }

    /// Lists the names of all objects, ours or not, in no order.
    ///
    /// # Errors
    ///
    /// Any that leaves the listing incomplete.
    pub async fn objects(&self) -> Result<Vec<String>, StoreError> {
        let failed = |kind| self.error(Doing::List, "all objects", kind);
        let mut listing = self.objects.list(None);
        let mut names = Vec::new();
        loop {
            let next = timeout(STALL, listing.try_next()).await;
            let next = next.map_err(|_elapsed| failed(Failure::TimedOut { after: STALL }))?;
            let Some(object) = next.map_err(|cause| failed(cause.into()))? else { return Ok(names) };
            if names.len() == NAMES_MAX {
                return Err(failed(Failure::TooMany { max: NAMES_MAX }));
            }
            names.push(object.location.to_string());
        }
    }

    /// What `pick` makes of the objects below `folder` whose path comes after `after`, in no order.
    async fn names<T>(
        &self,
        folder: &str,
        after: Option<String>,
        pick: impl Fn(StorePath) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let failed = |kind| self.error(Doing::List, folder, kind);
        let prefix = Path::from(folder);
        let mut listing = match after {
            Some(after) => self.objects.list_with_offset(Some(&prefix), &Path::from(after)),
            None => self.objects.list(Some(&prefix)),
        };
        let (mut names, mut listed) = (Vec::new(), 0);
        loop {
            let next = timeout(STALL, listing.try_next()).await;
            let next = next.map_err(|_elapsed| failed(Failure::TimedOut { after: STALL }))?;
            let Some(object) = next.map_err(|cause| failed(cause.into()))? else { return Ok(names) };
            listed += 1;
            if listed > NAMES_MAX {
                return Err(failed(Failure::TooMany { max: NAMES_MAX }));
            }
            match object.location.as_ref().parse().ok().and_then(&pick) {
                Some(name) => names.push(name),
                None => warn!(store = %self, object = %object.location, "Passed over an object that is not of ours"),
            }
        }
    }

    /// The names of the folders in `folder`, sorted.
    async fn folders<T: std::str::FromStr + Ord>(&self, folder: &str) -> Result<Vec<T>, StoreError> {
        let failed = |kind| self.error(Doing::List, folder, kind);
        let prefix = Path::from(folder);
        let listing = timeout(STALL, self.objects.list_with_delimiter(Some(&prefix))).await;
        let listing = listing.map_err(|_elapsed| failed(Failure::TimedOut { after: STALL }))?;
        let mut names = Vec::new();
        for found in listing.map_err(|cause| failed(cause.into()))?.common_prefixes {
            match found.filename().and_then(|name| name.parse().ok()) {
                Some(name) => names.push(name),
                None => warn!(store = %self, folder = %found, "Passed over a folder that is not of ours"),
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}
