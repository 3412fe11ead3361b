//! Reads what the guards judge by: the commit before from the repository, what regions ran lately from the store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use schema::path::EntryPath;
use schema::{App, CommitId, Digest, Region, Serial, Timestamp};

use super::flap::{RETURNS_MAX, WITHIN};
use super::{Allowances, Past, Question, Ran, Refusal, guard};
use crate::blocking::blocking;
use crate::compile::{Asked, Compilation, CompileError, Contents, Earlier, Listing, Unlisted};
use crate::history::records;
use crate::kind::ErrorKind;
use crate::plan;
use crate::proof::VerifiedCommit;
use crate::publish::{a_few_at_a_time, past};
use crate::publisher::Publisher;
use crate::region::{RegionError, RegionFault};

/// How many of a region's last changes are looked at for files that go back and forth.
const CHANGES_MAX: usize = 32;

/// Up to how many files are looked for one by one in an earlier commit. For more all of it is listed.
const ASKED_MAX: usize = 64;

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
/// repository's folder, `compiled` a commit that was compiled before, if there is one: it need not be listed again. Before the
/// first commit there is nothing to guard.
///
/// # Errors
/// [`GuardError`]; nothing is to be published then.
pub(crate) async fn check(
    publisher: &Publisher,
    objects: PathBuf,
    base: Option<&CommitId>,
    compiled: Option<(&CommitId, &Compilation)>,
    commit: &VerifiedCommit,
    compilation: &Arc<Compilation>,
) -> Result<(), GuardError> {
    let Some(base) = base.filter(|base| *base != commit.id()) else { return Ok(()) };
    let before = match compiled.filter(|(compiled, _)| *compiled == base) {
        Some((_, compiled)) => Some(Contents::of(compiled)),
        None => listed(&objects, compilation, BTreeSet::from([base.clone()]), None).await?.remove(base),
    };
    let Some(before) = before else { return Ok(()) };
    let after = Contents::of(compilation);
    let changed: Vec<&Place> = after
        .listings
        .iter()
        .filter(|(at, now)| before.listings.get(at).is_some_and(|old| !Arc::ptr_eq(old, now) && old != *now))
        .map(|(at, _)| at)
        .collect();
    let judging =
        Judging { publisher, objects, base, before: &before, after: &after, changed, allowed: Allowances::of(commit) };
    judging.judge(compilation).await
}

type Place = (App, Region);

struct Judging<'j> {
    publisher: &'j Publisher,
    objects: PathBuf,
    base: &'j CommitId,
    before: &'j Contents,
    after: &'j Contents,
    /// Where the commit changes something.
    changed: Vec<&'j Place>,
    allowed: Allowances,
}

impl Judging<'_> {
    async fn judge(&self, compilation: &Arc<Compilation>) -> Result<(), GuardError> {
        let mut pasts = self.pasts(compilation).await?;
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
    async fn pasts(&self, compilation: &Arc<Compilation>) -> Result<BTreeMap<Place, Past>, GuardError> {
        let changes = self.changed.iter().map(|place| lately(self.publisher, place)).collect();
        let changes = a_few_at_a_time(changes).await.into_iter().collect::<Result<Vec<_>, Box<RegionError>>>()?;
        let newest = changes.iter().filter_map(|changes| Some(changes.last()?.commit.clone()));
        let newest = newest.filter(|commit| commit != self.base).collect();
        let mut listed_whole = listed(&self.objects, compilation, newest, None).await?;
        listed_whole.insert(self.base.clone(), self.before.clone());
        // Of what was before that, only the files matter that are to be others now.
        let asked: Asked = (self.changed.iter().zip(&changes))
            .filter_map(|(place, changes)| {
                let last = listed_whole.get(&changes.last()?.commit)?.listings.get(*place)?;
                Some(((*place).clone(), differing(last, &self.after.listings[*place])))
            })
            .collect();
        let older = changes.iter().flatten().map(|change| change.commit.clone());
        let older = older.filter(|commit| !listed_whole.contains_key(commit)).collect();
        // Where it is not known which files those are, all of them may be.
        let is_known = |(place, changes): (&&Place, &Vec<Change>)| changes.is_empty() || asked.contains_key(*place);
        let are_few = asked.values().all(|paths| paths.len() <= ASKED_MAX);
        let asked = (are_few && self.changed.iter().zip(&changes).all(is_known)).then_some(asked);
        let listed = listed(&self.objects, compilation, older, asked).await?;
        let pasts = self.changed.iter().zip(changes).map(|(place, changes)| {
            let ran = |change: Change| {
                let contents = listed_whole.get(&change.commit).or_else(|| listed.get(&change.commit))?;
                Some(Ran { since: change.since, listing: Arc::clone(contents.listings.get(*place)?) })
            };
            ((*place).clone(), Past { goes_back: false, lately: changes.into_iter().filter_map(ran).collect() })
        });
        Ok(pasts.collect())
    }
}

/// The paths at which two versions of an app differ.
fn differing(before: &Listing, after: &Listing) -> BTreeSet<EntryPath> {
    let paths = before.keys().chain(after.keys());
    paths.filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
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

/// What the trees of `commits` hold, or those of the files that are `asked` for. A commit that is not there, or that this version
/// would not compile, is left out.
async fn listed(
    objects: &Path,
    near: &Arc<Compilation>,
    commits: BTreeSet<CommitId>,
    asked: Option<Asked>,
) -> Result<BTreeMap<CommitId, Contents>, GuardError> {
    if commits.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (objects, near) = (objects.to_owned(), Arc::clone(near));
    blocking(move || {
        let repository = Earlier::open(&objects, &near);
        let mut found = BTreeMap::new();
        for commit in commits {
            let listed = match &repository {
                Ok(repository) => match &asked {
                    Some(asked) => repository.files(&commit, asked),
                    None => repository.contents(&commit),
                },
                Err(error) => {
                    tracing::warn!(
                        "The repository cannot be opened, so nothing earlier is held against the commit: {error}"
                    );
                    break;
                }
            };
            match listed {
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
