//! Reads what the guards judge by: the commit before from the repository, what regions ran lately from the store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use git2::{Oid, Repository};
use schema::{App, CommitId, Digest, Limits, Region, Serial, Timestamp};

use super::flap::{RETURNS_MAX, WITHIN};
use super::{Allowances, Past, Question, Ran, Refusal, guard};
use crate::blocking::blocking;
use crate::compile::{Compilation, CompileError, Contents, GitObjects, contents};
use crate::history::records;
use crate::kind::ErrorKind;
use crate::plan;
use crate::proof::VerifiedCommit;
use crate::publish::{a_few_at_a_time, past};
use crate::publisher::Publisher;
use crate::region::{RegionError, RegionFault};

/// How many of a region's last changes are looked at for files that go back and forth.
const CHANGES_MAX: usize = 32;

/// Says why a commit is held back. What was published last stays.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// By the guards.
    #[error(
        "{}{}{}", .refusals[0],
        if .refusals.len() > 1 { format!(" (and {} more)", .refusals.len() - 1) } else { String::new() },
        .unknown.as_ref().map(|unknown| format!("; {unknown}")).unwrap_or_default()
    )]
    Refused {
        /// At least one.
        refusals: Vec<Refusal>,
        /// A word after `Driftless-Allow:` that lifts nothing.
        unknown: Option<String>,
    },
    /// What was published before cannot be read.
    #[error("what commit {} published cannot be read, so what is new in this one is not known", commit.short())]
    Unreadable {
        /// The earlier commit.
        commit: CommitId,
        /// Why.
        #[source]
        source: CompileError,
    },
    /// What a region ran cannot be read.
    #[error(transparent)]
    Region(#[from] Box<RegionError>),
}

impl GuardError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            GuardError::Refused { .. } => ErrorKind::Refused,
            GuardError::Unreadable { .. } => ErrorKind::Unexpected,
            GuardError::Region(error) => error.kind(),
        }
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        match self {
            GuardError::Refused { .. } => Some(
                "the last published commit stays; put the files right, or add a signed commit with that trailer on top (`git \
                 commit -S --allow-empty`)"
                    .to_owned(),
            ),
            GuardError::Unreadable { .. } => None,
            GuardError::Region(error) => error.hint(),
        }
    }
}

/// Judges `commit`, which compiles to `compilation`, by what was published before it: that of `base`. `objects` is the
/// repository's folder. Before the first commit there is nothing to guard.
///
/// # Errors
/// [`GuardError`]; nothing is to be published then.
pub(crate) async fn check(
    publisher: &Publisher,
    objects: PathBuf,
    base: Option<&CommitId>,
    commit: &VerifiedCommit,
    compilation: &Compilation,
) -> Result<(), GuardError> {
    let Some(base) = base.filter(|base| *base != commit.id()) else { return Ok(()) };
    let Some(before) = listed(objects.clone(), BTreeSet::from([base.clone()])).await?.remove(base) else {
        return Ok(());
    };
    let after = Contents::of(compilation);
    let changed: Vec<&Place> = after
        .listings
        .iter()
        .filter(|(at, now)| before.listings.get(at).is_some_and(|old| old != *now))
        .map(|(at, _)| at)
        .collect();
    let judging =
        Judging { publisher, objects, before: &before, after: &after, changed, allowed: Allowances::of(commit) };
    judging.judge(compilation).await
}

type Place = (App, Region);

struct Judging<'j> {
    publisher: &'j Publisher,
    objects: PathBuf,
    before: &'j Contents,
    after: &'j Contents,
    /// Where the commit changes something.
    changed: Vec<&'j Place>,
    allowed: Allowances,
}

impl Judging<'_> {
    async fn judge(&self, compilation: &Compilation) -> Result<(), GuardError> {
        let mut pasts = self.pasts().await?;
        let Err(refusals) = self.ask(&pasts) else { return Ok(()) };
        // What goes back to something good is no mistake. Whether it does is asked last, since few commits come this far.
        let apps: BTreeSet<&App> = refusals.iter().map(|refusal| &refusal.app).collect();
        for place in self.changed.iter().filter(|(app, _)| apps.contains(app)) {
            let digest = compilation.bundles[*place].summary.digest;
            let (app, region) = place;
            let found = past(self.publisher, app, region, &digest).await.map_err(|fault| stays(place, fault))?;
            pasts.entry((*place).clone()).or_default().goes_back = found == plan::Past::KnownGood;
        }
        self.ask(&pasts).map_err(|refusals| GuardError::Refused { refusals, unknown: self.allowed.unknown() })
    }

    fn ask(&self, pasts: &BTreeMap<Place, Past>) -> Result<(), Vec<Refusal>> {
        let now = self.publisher.now();
        guard(&Question { before: self.before, after: self.after, pasts, allowed: &self.allowed, now })
    }

    /// What the regions that change ran lately, where they changed often enough for it to matter.
    async fn pasts(&self) -> Result<BTreeMap<Place, Past>, GuardError> {
        let changes = self.changed.iter().map(|place| lately(self.publisher, place)).collect();
        let changes = a_few_at_a_time(changes).await.into_iter().collect::<Result<Vec<_>, Box<RegionError>>>()?;
        let commits = changes.iter().flatten().map(|change| change.commit.clone()).collect();
        let listed = listed(self.objects.clone(), commits).await?;
        let pasts = self.changed.iter().zip(changes).map(|(place, changes)| {
            let ran = |change: Change| {
                let listing = Arc::clone(listed.get(&change.commit)?.listings.get(*place)?);
                Some(Ran { since: change.since, listing })
            };
            ((*place).clone(), Past { goes_back: false, lately: changes.into_iter().filter_map(ran).collect() })
        });
        Ok(pasts.collect())
    }
}

/// A bundle that became stable in a region.
struct Change {
    since: Timestamp,
    digest: Digest,
    commit: CommitId,
}

/// The last bundles that were stable in a region, oldest first; none where it changed too seldom for anything to flap.
async fn lately(publisher: &Publisher, place: &Place) -> Result<Vec<Change>, Box<RegionError>> {
    let (app, region) = place;
    let read = async {
        let mut orders = publisher.store.history_after(app, region, None).await?;
        orders.retain(|order| order.serial == Serial::FIRST);
        let newest_first = |most: usize| orders.iter().rev().copied().take(most).collect::<Vec<_>>().into_iter();
        let pointers = |most: usize| records(&publisher.store, &publisher.roots, (app, region), newest_first(most));
        let newest: Vec<Timestamp> = pointers(RETURNS_MAX).map_ok(|pointer| pointer.issued).try_collect().await?;
        let is_recent = newest.last().is_some_and(|issued| publisher.now().since(*issued) <= WITHIN);
        if newest.len() < RETURNS_MAX || !is_recent {
            return Ok(Vec::new());
        }
        let change = |pointer: &schema::Pointer| Change {
            since: pointer.issued,
            digest: pointer.stable.digest,
            commit: pointer.commit.clone(),
        };
        let mut changes: Vec<Change> = pointers(CHANGES_MAX).map_ok(|pointer| change(&pointer)).try_collect().await?;
        changes.reverse();
        changes.dedup_by_key(|change| change.digest);
        Ok(changes)
    };
    read.await.map_err(|fault| stays(place, fault))
}

fn stays(place: &Place, fault: RegionFault) -> Box<RegionError> {
    Box::new(RegionError { app: place.0.clone(), region: place.1.clone(), fault })
}

/// What the trees of `commits` hold. A commit that is not there, or that this version would not compile, is left out.
async fn listed(objects: PathBuf, commits: BTreeSet<CommitId>) -> Result<BTreeMap<CommitId, Contents>, GuardError> {
    if commits.is_empty() {
        return Ok(BTreeMap::new());
    }
    blocking(move || {
        let mut found = BTreeMap::new();
        for commit in commits {
            match contents_of(&objects, &commit) {
                Ok(contents) => {
                    found.insert(commit, contents);
                }
                Err(Unlisted::Gone(error)) => {
                    tracing::warn!(
                        "Commit {} is not in the repository, so nothing is held against it: {error}",
                        commit.short()
                    );
                }
                Err(Unlisted::Compile(error @ CompileError::Refused(_))) => {
                    tracing::warn!(
                        "Commit {} is not as it should be, so nothing is held against it: {error}",
                        commit.short()
                    );
                }
                Err(Unlisted::Compile(source)) => return Err(GuardError::Unreadable { commit, source }),
            }
        }
        Ok(found)
    })
    .await
}

enum Unlisted {
    Gone(git2::Error),
    Compile(CompileError),
}

fn contents_of(objects: &PathBuf, commit: &CommitId) -> Result<Contents, Unlisted> {
    let repository = Repository::open(objects).map_err(Unlisted::Gone)?;
    let tree = Oid::from_str(commit.as_str()).and_then(|id| Ok(repository.find_commit(id)?.tree_id()));
    let tree = tree.map_err(Unlisted::Gone)?.to_string().parse().expect("git writes ids in lower-case hex");
    let objects = GitObjects::of(&repository).map_err(Unlisted::Gone)?;
    contents(&objects, &tree, &Limits::DEFAULT).map_err(Unlisted::Compile)
}
