//! The order of an audit: list, roots, histories, bundles; read a few at a time, judge what was read.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use schema::{App, Digest, Limits, Manifest, Order, Region, RolloutId, StorePath, Timestamp, TrustRoot, Verified};
use store::{Failure, Store, StoreError};

use crate::chain::{self, Chain};
use crate::finding::{Finding, Flaw, missing};
use crate::frame;
use crate::history::{self, History};
use crate::release::{Judged, Naming, Release};
use crate::report::{Counts, Report, Standing};
use crate::rollout;
use crate::survey::{Place, Survey};

/// How far an audit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Objects that were looked at.
    pub done: u64,
    /// Objects in the store.
    pub of: u64,
}

/// Says why an audit came to no verdict.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The store failed, so that what is missing cannot be told from what could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What belongs together is more than can be judged; no honest store is like that.
    #[error("what belongs with {at} is more than {max_bytes} bytes, which nothing that Driftless writes is")]
    TooMuch {
        /// The object at which it became too much.
        at: Box<StorePath>,
        /// The limit.
        max_bytes: u64,
    },
    /// A check panicked.
    #[error("a check ended unexpectedly; this is a bug")]
    Panicked(#[source] tokio::task::JoinError),
}

/// Walks `store`, trusting `given` and what follows from it. `told` hears of the progress.
///
/// A store that is published to meanwhile is audited as it is at the end: a pointer is read before the records that it is one of.
///
/// # Errors
/// [`AuditError`] where the store does not answer, or holds more than anybody would read. What it answers is never an error: that
/// is a finding.
pub async fn verify(
    store: &Store,
    given: Verified<TrustRoot>,
    now: Timestamp,
    mut told: impl FnMut(Progress),
) -> Result<Report, AuditError> {
    let survey: Survey = store.objects().await?.into_iter().collect();
    let mut walk =
        Walk { store, counts: Counts { objects: survey.objects, ..Counts::default() }, findings: Vec::new() };
    let mut done = survey.strays.len() as u64;
    let mut tell = |more: u64| {
        done += more;
        told(Progress { done, of: survey.objects });
    };
    walk.findings.extend(survey.strays.iter().map(|name| Finding::new(name.escape_debug(), Flaw::Stray)));
    let chain = Arc::new(walk.roots(&survey, given, now).await?);
    tell(survey.roots.len() as u64);
    walk.findings.extend(survey.unpublished(chain.newest()).map(|place| Finding::new(place, Flaw::Unpublished)));
    let (mut standing, mut named) = (Vec::new(), BTreeMap::<(App, Digest), Naming>::new());
    for (place, found) in &survey.places {
        let history = walk.history(&chain, place, found, now).await?;
        for ((digest, manifest), age) in history.targets {
            let naming = named.entry((place.0.clone(), digest)).or_default();
            naming.manifests.insert(manifest);
            naming.age = naming.age.max(age);
        }
        for target in history.newest.iter().flat_map(|newest| history::targets(newest)) {
            named.entry((place.0.clone(), target.digest)).or_default().in_force = true;
        }
        standing.extend(history.newest.as_ref().map(|newest| standing_of(place, newest)));
        tell(found.records.len() as u64 + u64::from(found.has_pointer));
    }
    for (app, states) in &survey.rollouts {
        walk.rollouts(&chain, app, states).await?;
        tell(states.len() as u64);
    }
    let all: BTreeSet<&(App, Digest)> = survey.bundles.keys().chain(named.keys()).collect();
    for release in all {
        let naming = named.get(release).cloned().unwrap_or_default();
        let paths = survey.bundles.get(release).cloned().unwrap_or_default();
        let count = paths.len() as u64;
        walk.release(&chain, release, naming, paths).await?;
        tell(count);
    }
    let Walk { counts, mut findings, .. } = walk;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity()));
    Ok(Report { counts, root: chain.newest().version, standing, findings })
}

struct Walk<'s> {
    store: &'s Store,
    counts: Counts,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    async fn roots(
        &mut self,
        survey: &Survey,
        given: Verified<TrustRoot>,
        now: Timestamp,
    ) -> Result<Chain, AuditError> {
        self.counts.roots = survey.roots.len() as u64;
        let stored = self.read(survey.roots.iter().map(|version| chain::at(*version))).await?;
        let by_version = stored.into_iter().filter_map(|(path, bytes)| match path {
            StorePath::Root { version } => Some((version, bytes)),
            _ => None,
        });
        let (chain, findings) = Chain::judge(given, &by_version.collect(), now);
        self.findings.extend(findings);
        Ok(chain)
    }

    async fn history(
        &mut self,
        chain: &Arc<Chain>,
        place: &(App, Region),
        found: &Place,
        now: Timestamp,
    ) -> Result<History, AuditError> {
        let (app, region) = place;
        let path = StorePath::Pointer { app: app.clone(), region: region.clone() };
        let pointer = self.read([path]).await?.into_values().next();
        // Its record was created before the pointer was moved, but maybe after the store was listed.
        let newer = self.store.history_after(app, region, found.records.last().copied()).await?;
        let orders = found.records.iter().copied().chain(newer);
        let stored = self.read(orders.map(|order| history::record_at((app, region), order))).await?;
        let records = stored.into_iter().filter_map(|(path, bytes)| match path {
            StorePath::History { order, .. } => Some((order, bytes)),
            _ => None,
        });
        let records: BTreeMap<Order, Bytes> = records.collect();
        self.counts.records += records.len() as u64;
        let (chain, app, region) = (Arc::clone(chain), app.clone(), region.clone());
        let judging = move || history::judge(&chain, (&app, &region), &records, pointer.as_ref(), now);
        let mut history = judge(judging).await?;
        self.findings.append(&mut history.findings);
        Ok(history)
    }

    async fn rollouts(
        &mut self,
        chain: &Arc<Chain>,
        app: &App,
        known: &BTreeSet<(RolloutId, u64)>,
    ) -> Result<(), AuditError> {
        let stored = self.read(known.iter().map(|state| rollout::at(app, *state))).await?;
        let states = stored.into_iter().filter_map(|(path, bytes)| match path {
            StorePath::Rollout { id, n, .. } => Some(((id, n), bytes)),
            _ => None,
        });
        let states: BTreeMap<(RolloutId, u64), Bytes> = states.collect();
        self.counts.states += states.len() as u64;
        let (chain, app, known) = (Arc::clone(chain), app.clone(), known.clone());
        self.findings.extend(judge(move || rollout::judge(&chain, &app, &known, &states)).await?);
        Ok(())
    }

    async fn release(
        &mut self,
        chain: &Arc<Chain>,
        (app, digest): &(App, Digest),
        naming: Naming,
        paths: BTreeSet<StorePath>,
    ) -> Result<(), AuditError> {
        self.counts.bundles += 1;
        let is_frame = |path: &StorePath| matches!(path, StorePath::Bundle { .. } | StorePath::Patch { .. });
        let (frames, mut sealed): (BTreeSet<_>, BTreeSet<_>) = paths.into_iter().partition(is_frame);
        let is_named = naming.is_named();
        if is_named {
            // It may have come after the store was listed; where it did not, it is missing.
            sealed.insert(StorePath::Manifest { app: app.clone(), digest: *digest });
        }
        let first = frames.first().or(sealed.first()).cloned();
        let seals = self.read(sealed).await?;
        let (release, chain) = (Release { app: app.clone(), digest: *digest, naming, seals }, Arc::clone(chain));
        let Judged { manifest, mut findings } = judge(move || release.judge(&chain)).await?;
        if let Some(manifest) = manifest {
            findings.extend(self.frames(Arc::new(manifest), frames, is_named).await?);
        }
        if !is_named && findings.is_empty() {
            findings.extend(first.map(|path| Finding::new(path, Flaw::Unreferenced)));
        }
        self.findings.append(&mut findings);
        Ok(())
    }

    /// Reads one frame after the other, since each may be large, and only those that the manifest promises.
    async fn frames(
        &mut self,
        manifest: Arc<Manifest>,
        stored: BTreeSet<StorePath>,
        is_named: bool,
    ) -> Result<Vec<Finding>, AuditError> {
        let promised: BTreeSet<StorePath> = frame::promised(&manifest).collect();
        let surplus = stored.difference(&promised).map(|path| Finding::new(path, Flaw::Unreferenced));
        let mut findings: Vec<Finding> = surplus.collect();
        for path in promised {
            let told = self.findings.len();
            let Some(bytes) = self.read([path.clone()]).await?.into_values().next() else {
                // One that is too large was told.
                findings.extend((is_named && self.findings.len() == told).then(|| missing(&path)));
                continue;
            };
            let (manifest, at) = (Arc::clone(&manifest), path.clone());
            let judged = judge(move || frame::judge(&manifest, &at, &bytes)).await?;
            findings.extend(judged.err().map(|flaw| Finding::new(path, flaw)));
        }
        Ok(findings)
    }

    /// Reads a few objects at a time. One that is too large for its kind is a finding; one that vanished since is missing.
    async fn read(
        &mut self,
        paths: impl IntoIterator<Item = StorePath>,
    ) -> Result<BTreeMap<StorePath, Bytes>, AuditError> {
        let store = self.store;
        let mut reads = pin!(
            stream::iter(paths)
                .map(|path| async move {
                    let max_bytes = path.max_bytes(&Limits::DEFAULT);
                    match store.read(&path, max_bytes).await {
                        Ok(object) => Ok((path, Ok(object.map(|object| object.bytes)))),
                        Err(error) if matches!(error.kind, Failure::TooLarge { .. }) => Ok((path, Err(max_bytes))),
                        Err(error) => Err(error),
                    }
                })
                .buffered(AT_A_TIME)
        );
        let (mut objects, mut held) = (BTreeMap::new(), 0);
        while let Some((path, answer)) = reads.try_next().await? {
            match answer {
                Ok(Some(bytes)) => {
                    held += bytes.len() as u64;
                    if held > HELD_MAX_BYTES {
                        return Err(AuditError::TooMuch { at: Box::new(path), max_bytes: HELD_MAX_BYTES });
                    }
                    objects.insert(path, bytes);
                }
                Ok(None) => {}
                Err(max_bytes) => self.findings.push(Finding::new(path, Flaw::TooLarge { max_bytes })),
            }
        }
        self.counts.bytes += held;
        Ok(objects)
    }
}

async fn judge<T: Send + 'static>(judging: impl FnOnce() -> T + Send + 'static) -> Result<T, AuditError> {
    tokio::task::spawn_blocking(judging).await.map_err(AuditError::Panicked)
}

fn standing_of(place: &(App, Region), newest: &schema::Pointer) -> Standing {
    Standing {
        app: place.0.clone(),
        region: place.1.clone(),
        epoch: newest.epoch,
        generation: newest.generation,
        serial: newest.serial,
        digest: newest.stable.digest,
        expires: newest.expires,
    }
}

const AT_A_TIME: usize = 8;
/// What is held in memory at once: a century of hourly records, or the largest bundle four times over.
const HELD_MAX_BYTES: u64 = 1 << 30;
