//! Follows the branch: one look at a time, remembering only what saves work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schema::rollout::Policy;
use schema::status::RolloutStatus;
use schema::{App, CommitId, Timestamp};
use tokio::time::Instant;

use super::ancestry::GitAncestry;
use super::base::{self, BaseError, places};
use super::checkpoint::Checkpoint;
use super::error::LookError;
use super::notes;
use super::pace::Backoff;
use super::prove::{Proven, prove};
use super::rules::Rules;
use crate::blocking::blocking;
use crate::compile::Compilation;
use crate::config::Config;
use crate::duty::Duty;
use crate::guards;
use crate::kind::ErrorKind;
use crate::proof::{Base, VerifiedCommit};
use crate::publish::{Ancestry, Before, InForce, Report, publish};
use crate::publisher::Publisher;
use crate::rebuild::rebuild;
use crate::source::Source;
use crate::start::StartError;

/// A branch that is followed.
pub(super) struct Following {
    config: Arc<Config>,
    pub(super) publisher: Publisher,
    source: Option<Source>,
    /// Whether the newest trust root was looked for since pointers were looked after.
    pub(super) roots_followed: bool,
    /// Version of the trust root for which all that is within reach was sealed again.
    pub(super) resealed: Option<u64>,
    /// What was said of that last.
    pub(super) resealing: Vec<String>,
    /// The commit to look at in the place of the branch's tip.
    chosen: Option<CommitId>,
    /// The commit that was published last, by this process or before it, as far as is known.
    published: Option<CommitId>,
    pub(super) good: Option<Good>,
    refused: Option<Refused>,
    /// The tip for which the mirror was fetched anew: once is enough to find out whether that helps.
    refetched: Option<CommitId>,
}

/// The last tip that was proven and compiled.
pub(super) struct Good {
    pub(super) commit: VerifiedCommit,
    pub(super) compilation: Arc<Compilation>,
    pub(super) ancestry: Arc<dyn Ancestry>,
    /// The policies that it goes by.
    pub(super) rules: InForce,
    /// Whether nothing is left to do about it but what rollouts do, or what waits for something else than a look.
    pub(super) everywhere: bool,
    /// Whether it counts as published: nothing of it waits.
    pub(super) handed_over: bool,
    /// What is worth knowing of the rules it was judged by.
    notes: Vec<String>,
}

/// A tip that was refused. Judging it again costs as much as the first time, and seldom helps.
struct Refused {
    tip: CommitId,
    backoff: Backoff,
    again_at: Instant,
}

/// What a look at the branch showed.
pub(super) enum Sight {
    /// The tip that is published everywhere.
    Unchanged,
    /// The tip that was refused a moment ago.
    StillRefused,
    /// A tip that is published now.
    Tip(Looked),
    /// A tip that waits for other signers.
    Waiting(Looked),
    /// A tip that waits, somewhere, for the end of a freeze or of another rollout.
    Held(Looked),
}

/// What a look at the branch led to.
#[derive(Debug)]
pub struct Looked {
    /// The tip; published, unless the report has something that is waited for.
    pub commit: CommitId,
    /// What was done about it.
    pub report: Report,
    /// What is as it should be and yet worth knowing, one sentence each: regions that left the configuration, bundles that
    /// were taken back by hand, rules that let more pass than the usual ones, other signers that are waited for, a trust root
    /// that expires soon.
    pub notes: Vec<String>,
    /// How far the newest rollout of each app is, after a look that nobody follows up.
    pub rollouts: Vec<RolloutStatus>,
}

impl Following {
    /// Makes the state folder, and reads what was published before.
    pub(super) async fn start(config: Config, publisher: Publisher) -> Result<Following, StartError> {
        let path = config.state.clone();
        let checkpoint = blocking(move || match std::fs::create_dir_all(&path) {
            Ok(()) => Ok(Checkpoint::read(&path)),
            Err(source) => Err(StartError::State { path, source }),
        });
        let checkpoint = checkpoint.await?;
        let publisher = publisher.remembering(checkpoint.as_ref().map(Checkpoint::orders).unwrap_or_default());
        let published = checkpoint.map(|checkpoint| checkpoint.tip);
        let config = Arc::new(config);
        Ok(Following {
            config,
            publisher,
            source: None,
            roots_followed: false,
            resealed: None,
            resealing: Vec::new(),
            chosen: None,
            published,
            good: None,
            refused: None,
            refetched: None,
        })
    }

    /// Looks at `commit` in the place of the branch's tip, judges all of its history, and remembers nothing of it.
    pub(super) fn choose(&mut self, commit: CommitId) {
        self.chosen = Some(commit);
    }

    /// Repository and branch, for people.
    pub(super) fn name(&self) -> String {
        format!("{} ({})", self.config.source.repository, self.config.source.branch)
    }

    pub(super) fn poll(&self) -> Duration {
        self.config.source.poll.0
    }

    pub(super) fn now(&self) -> Timestamp {
        self.publisher.now()
    }

    /// What is worth knowing of the trust root in force.
    pub(super) fn note_on_root(&self) -> Option<String> {
        notes::of_root(self.publisher.root(), self.now())
    }

    /// The commit that was published last, by this process or before it, as far as is known.
    pub(super) fn published(&self) -> Option<&CommitId> {
        self.published.as_ref()
    }

    /// How often [`Following::keep`] is due: often enough that a pointer is refreshed in time and a lost one soon repaired.
    pub(super) fn keep_every(&self) -> Duration {
        (self.publisher.freshness.refresh_every / 12).clamp(Duration::from_millis(100), Duration::from_secs(300))
    }

    /// Waits until the branch may have moved.
    pub(super) async fn changed(&mut self) {
        match &mut self.source {
            Some(source) => source.changed().await,
            None => tokio::time::sleep(self.poll().max(Duration::from_millis(10))).await,
        }
    }

    /// Takes the tip again at the next look, whatever was made of it: something changed that it may have waited for.
    pub(super) fn look_again(&mut self) {
        self.good.iter_mut().for_each(|good| good.everywhere = false);
    }

    /// The policies of the apps that go by one, as far as a commit was read.
    pub(super) fn policies(&self) -> Option<&BTreeMap<App, Policy>> {
        self.good.as_ref().map(|good| &good.compilation.policies)
    }

    /// Looks at the tip, and publishes it if it is new or was not published everywhere.
    pub(super) async fn look(&mut self) -> Result<Sight, LookError> {
        let tip = self.see().await?;
        self.judge(tip).await
    }

    /// Looks where the branch is, under the newest trust root. Slow where the repository is far away.
    pub(super) async fn see(&mut self) -> Result<CommitId, LookError> {
        self.follow_roots().await?;
        self.tip().await
    }

    /// Publishes `tip` if it is new or was not published everywhere.
    pub(super) async fn judge(&mut self, tip: CommitId) -> Result<Sight, LookError> {
        if self.good.as_ref().is_some_and(|good| good.everywhere && *good.commit.id() == tip) {
            return Ok(Sight::Unchanged);
        }
        if self.refused.as_ref().is_some_and(|refused| refused.tip == tip && Instant::now() < refused.again_at) {
            return Ok(Sight::StillRefused);
        }
        match self.take(&tip).await {
            Ok(looked) => {
                self.refused = None;
                Ok(match looked.report.waiting.is_empty() {
                    false => Sight::Waiting(looked),
                    true if looked.report.is_handed_over() => Sight::Tip(looked),
                    true => Sight::Held(looked),
                })
            }
            Err(error) => {
                if error.is_damage() && self.refetched.as_ref() != Some(&tip) {
                    self.refetch(&tip).await?;
                }
                self.remember(&error, tip);
                Err(error)
            }
        }
    }

    async fn tip(&mut self) -> Result<CommitId, LookError> {
        let source = match &mut self.source {
            Some(source) => source,
            none => none.insert(Source::open(self.config.source()).await?),
        };
        let tip = source.tip().await?;
        Ok(self.chosen.clone().unwrap_or(tip))
    }

    /// Proves, compiles and publishes `tip`.
    async fn take(&mut self, tip: &CommitId) -> Result<Looked, LookError> {
        self.check_store().await?;
        let mut before = None;
        if self.good.as_ref().is_none_or(|good| good.commit.id() != tip) {
            let proven = self.prove(tip).await?;
            // Its archives go with this look.
            before = self.good.replace(proven);
        }
        let good = self.good.as_mut().expect("it was just proven");
        let before = match &before {
            Some(before) if before.everywhere && before.handed_over => Before::Settled(&before.compilation),
            Some(before) => Before::Compiled(&before.compilation),
            None => Before::Unknown,
        };
        let report = match self.publisher.duty {
            Duty::Rebuild => {
                rebuild(&self.publisher, &good.commit, &good.compilation, &good.ancestry).await.map_err(Box::new)?
            }
            _ => {
                let Good { commit, compilation, rules, ancestry, .. } = &*good;
                publish(&self.publisher, commit, compilation, before, rules, ancestry).await
            }
        };
        let bundles = &good.compilation.bundles;
        let mut failed = report.failed.into_iter();
        if let Some(first) = failed.next() {
            return Err(LookError::Regions {
                commit: tip.clone(),
                regions: bundles.len(),
                moved: report.moved,
                first: Box::new(first),
                others: failed.collect(),
            });
        }
        let report = Report { failed: Vec::new(), ..report };
        good.everywhere = report.waiting.is_empty();
        // What waits for a freeze or a rollout to end goes by the policies before it still: it is not the next one's base.
        good.handed_over = report.is_handed_over();
        if good.handed_over && self.chosen.is_none() {
            self.remember_published(&report).await;
        }
        let standing = places(&self.publisher.store).await.unwrap_or_else(|error| {
            // Everything is published, so this is no reason to say that it is not.
            tracing::warn!("Whether the store has more than the configuration is not known: {error}");
            Vec::new()
        });
        if self.publisher.duty == Duty::Rebuild && self.chosen.is_none() {
            self.reseal().await;
        }
        let good = self.good.as_ref().expect("it was just published");
        let notes = notes::of(&report, &good.notes, &good.compilation, &standing);
        Ok(Looked { commit: tip.clone(), notes, report, rollouts: Vec::new() })
    }

    /// Remembers that the tip is published, and what regions are at since.
    async fn remember_published(&mut self, report: &Report) {
        let good = self.good.as_ref().expect("it was just published");
        let (tip, release_seq) = (good.commit.id().clone(), good.commit.release_seq());
        self.published = Some(tip.clone());
        self.publisher = self.publisher.clone().remembering_also(&report.orders);
        let checkpoint = Checkpoint::at(tip, release_seq, &self.publisher.remembered);
        let folder = self.config.state.clone();
        if let Err(error) = blocking(move || checkpoint.write(&folder)).await {
            tracing::warn!("The checkpoint is not written, so the next start judges more commits again: {error}");
        }
    }

    pub(super) async fn check_store(&self) -> Result<(), BaseError> {
        match &self.published {
            Some(published) => base::check_not_emptied(&self.publisher.store, published).await,
            None => Ok(()),
        }
    }

    async fn prove(&mut self, tip: &CommitId) -> Result<Good, LookError> {
        let source = self.source.as_ref().expect("the tip was read from it");
        let objects = source.objects_path();
        let (config, now) = (Arc::clone(&self.config), self.publisher.now());
        let rules = blocking(move || Rules::read(&config, now)).await?;
        let moves = rules.moves();
        let base = match &self.chosen {
            Some(_) => base::configured(&self.config),
            None => base::find(&self.publisher, &self.config, objects.clone(), Arc::clone(&moves)).await?,
        };
        if let Base::Published { commit, .. } = &base {
            self.published.get_or_insert_with(|| commit.clone());
        }
        let previous = self.good.as_ref().map(|good| Arc::clone(&good.compilation));
        let config = Arc::clone(&self.config);
        let Proven { commit, compilation, rules, notes } =
            prove(config, objects.clone(), rules, base, tip.clone(), previous, now).await?;
        let began = Instant::now();
        let guarded = guards::check(
            &self.publisher,
            objects.clone(),
            rules.base.as_ref(),
            self.good.as_ref().map(|good| (good.commit.id(), &*good.compilation)),
            &commit,
            &compilation,
        )
        .await;
        guarded.map_err(|source| LookError::Guarded { commit: tip.clone(), source: Box::new(source) })?;
        tracing::debug!(took = ?began.elapsed(), "No guard holds commit {} back", tip.short());
        let ancestry: Arc<dyn Ancestry> =
            Arc::new(GitAncestry { objects, tip: tip.clone(), lifted: moves, compilation: Arc::clone(&compilation) });
        Ok(Good { commit, compilation, ancestry, rules, everywhere: false, handed_over: false, notes })
    }

    /// Throws away the mirror in which objects of `tip` are damaged or missing. The next look fetches all of it.
    async fn refetch(&mut self, tip: &CommitId) -> Result<(), LookError> {
        if let Some(source) = &mut self.source {
            source.discard_mirror().await?;
            self.refetched = Some(tip.clone());
        }
        Ok(())
    }

    fn remember(&mut self, error: &LookError, tip: CommitId) {
        if error.kind() != ErrorKind::Refused {
            self.refused = None;
            return;
        }
        let known = self.refused.take().filter(|refused| refused.tip == tip);
        let mut backoff = known.map_or_else(|| Backoff::new(self.poll()), |refused| refused.backoff);
        let again_at = Instant::now() + backoff.next();
        self.refused = Some(Refused { tip, backoff, again_at });
    }
}
