//! Finds out what was published last: from the checkpoint, else from the store, else from the configuration.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use git2::Repository;
use schema::{App, CommitId, Region};
use store::{Store, StoreError};

use super::ancestry::{self, Histories};
use super::checkpoint::Checkpoint;
use crate::blocking::blocking;
use crate::config::Config;
use crate::overrides::Lifted;
use crate::proof::Base;
use crate::publish::a_few_at_a_time;
use crate::publisher::Publisher;
use crate::region::{self, RegionError};

/// Says why it is not known where judging has to begin.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A region could not be read.
    #[error(transparent)]
    Region(#[from] Box<RegionError>),
    /// The repository failed.
    #[error("how the published commits are related cannot be read from the repository")]
    Repository(#[source] git2::Error),
    /// The store has nothing at all, though a commit was published from here.
    #[error("the store has no app at all, though commit {} was published into one", published.short())]
    StoreEmptied {
        /// The commit that was published last.
        published: CommitId,
    },
    /// The regions have commits that are not of one history, or that the repository does not have.
    #[error("no commit in the repository has all those in its history that regions have: {}", short(commits))]
    Apart {
        /// The commits that regions have.
        commits: BTreeSet<CommitId>,
    },
}

/// Where judging has to begin. `objects` is the repository's folder, `lifted` what two principals let the branch leave behind.
pub(super) async fn find(
    publisher: &Publisher,
    config: &Config,
    objects: PathBuf,
    lifted: Arc<[Lifted]>,
) -> Result<Base, BaseError> {
    let folder = config.state.clone();
    if let Some(Checkpoint { tip, release_seq, .. }) = blocking(move || Checkpoint::read(&folder)).await {
        return Ok(Base::Published { commit: tip, release_seq: Some(release_seq) });
    }
    if !publisher.duty.believes_pointers() {
        return Ok(configured(config));
    }
    let places = places(&publisher.store).await?;
    let states = places.iter().map(|(app, region)| region::look(publisher, app, region));
    let mut commits = BTreeSet::new();
    for state in a_few_at_a_time(states.collect()).await {
        commits.extend(state.map_err(Box::new)?.newest.map(|newest| newest.commit.clone()));
    }
    if commits.is_empty() {
        return Ok(configured(config));
    }
    let newest = blocking(move || {
        let repository = Repository::open(objects).map_err(BaseError::Repository)?;
        let histories = Histories { repository: &repository, lifted: &lifted };
        let newest = ancestry::newest_of(&histories, commits.iter()).map_err(BaseError::Repository)?.cloned();
        newest.ok_or(BaseError::Apart { commits })
    });
    Ok(Base::Published { commit: newest.await?, release_seq: None })
}

/// Where judging begins by the configuration alone, whatever was published.
pub(super) fn configured(config: &Config) -> Base {
    config.source.adopt.clone().map_or(Base::Beginning, Base::Adopted)
}

/// Makes sure that the store is not a new one where `published` was published before: in an empty store every region would
/// begin at generation 1 again, which every agent refuses that ran something.
pub(super) async fn check_not_emptied(store: &Store, published: &CommitId) -> Result<(), BaseError> {
    match store.apps().await? {
        apps if apps.is_empty() => Err(BaseError::StoreEmptied { published: published.clone() }),
        _ => Ok(()),
    }
}

/// All apps and regions that the store has.
pub(super) async fn places(store: &Store) -> Result<Vec<(App, Region)>, StoreError> {
    let mut places = Vec::new();
    for app in store.apps().await? {
        places.extend(store.regions(&app).await?.into_iter().map(|region| (app.clone(), region)));
    }
    Ok(places)
}

fn short(commits: &BTreeSet<CommitId>) -> String {
    commits.iter().map(CommitId::short).collect::<Vec<_>>().join(", ")
}
