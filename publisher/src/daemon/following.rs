//! Follows the branch: one look at a time, remembering only what saves work.

use std::sync::Arc;
use std::time::Duration;

use schema::{CommitId, Timestamp};
use tokio::time::Instant;

use super::ancestry::GitAncestry;
use super::base::{self, BaseError, places};
use super::checkpoint::Checkpoint;
use super::error::LookError;
use super::pace::Backoff;
use super::prove::{Proven, prove};
use crate::blocking::blocking;
use crate::causes::causes;
use crate::compile::Compilation;
use crate::config::Config;
use crate::kind::ErrorKind;
use crate::proof::{Base, VerifiedCommit};
use crate::publish::{Ancestry, Report, publish, refresh};
use crate::publisher::Publisher;
use crate::source::Source;
use crate::start::StartError;
use crate::trust;

/// A branch that is followed.
pub(super) struct Following {
    config: Arc<Config>,
    publisher: Publisher,
    source: Option<Source>,
    root_installed: bool,
    /// The commit that was published last, by this process or before it, as far as is known.
    published: Option<CommitId>,
    good: Option<Good>,
    refused: Option<Refused>,
    /// The tip for which the mirror was fetched anew: once is enough to find out whether that helps.
    refetched: Option<CommitId>,
}

/// The last tip that was proven and compiled.
struct Good {
    commit: VerifiedCommit,
    compilation: Arc<Compilation>,
    ancestry: Arc<dyn Ancestry>,
    /// Whether every region has it.
    everywhere: bool,
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
}

/// What a look at the branch led to.
#[derive(Debug)]
pub struct Looked {
    /// The tip, published.
    pub commit: CommitId,
    /// What was done about it.
    pub report: Report,
    /// What is as it should be and yet worth knowing, one sentence each: regions that left the configuration, bundles that
    /// were taken back by hand.
    pub notes: Vec<String>,
}

impl Following {
    /// Makes the state folder, and reads what was published before.
    pub(super) async fn start(config: Config, publisher: Publisher) -> Result<Following, StartError> {
        let path = config.state.clone();
        let checkpoint = blocking(move || match std::fs::create_dir_all(&path) {
            Ok(()) => Ok(Checkpoint::read(&path)),
            Err(source) => Err(StartError::State { path, source }),
        });
        let published = checkpoint.await?.map(|checkpoint| checkpoint.tip);
        let config = Arc::new(config);
        Ok(Following {
            config,
            publisher,
            source: None,
            root_installed: false,
            published,
            good: None,
            refused: None,
            refetched: None,
        })
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

    /// Looks at the tip, and publishes it if it is new or was not published everywhere.
    pub(super) async fn look(&mut self) -> Result<Sight, LookError> {
        if !self.root_installed {
            trust::install(&self.publisher).await?;
            self.root_installed = true;
        }
        let tip = self.tip().await?;
        if self.good.as_ref().is_some_and(|good| good.everywhere && *good.commit.id() == tip) {
            return Ok(Sight::Unchanged);
        }
        if self.refused.as_ref().is_some_and(|refused| refused.tip == tip && Instant::now() < refused.again_at) {
            return Ok(Sight::StillRefused);
        }
        match self.take(&tip).await {
            Ok(looked) => {
                self.refused = None;
                Ok(Sight::Tip(looked))
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

    /// Repairs pointers and signs old ones afresh, whatever the branch is at.
    pub(super) async fn keep(&mut self) -> Report {
        // Somebody may have put a newer root into the store since.
        self.root_installed = false;
        let mut report = Report::default();
        if let Err(error) = self.check_store().await {
            tracing::warn!("Pointers are not looked after for now: {}", causes(&error).join(": "));
            // The next look takes the tip again, and says what is in the way.
            self.good.iter_mut().for_each(|good| good.everywhere = false);
            return report;
        }
        // Where it is not everywhere yet, the next look goes on with that.
        if let Some(good) = self.good.as_mut().filter(|good| good.everywhere) {
            report = publish(&self.publisher, &good.commit, &good.compilation, &good.ancestry).await;
            if report.failed.is_empty() {
                return report;
            }
            // The next look takes the tip again, and says what is in the way.
            good.everywhere = false;
        }
        // What is published stays fresh even where nothing may be published. Until a commit was good, that is all there is.
        let places = match &self.good {
            Some(good) => Ok(good.compilation.bundles.keys().cloned().collect()),
            None => places(&self.publisher.store).await,
        };
        match places {
            Ok(places) => {
                let refreshed = refresh(&self.publisher, places).await;
                report.refreshed.extend(refreshed.refreshed);
                report.failed = refreshed.failed;
            }
            Err(error) => tracing::warn!("Pointers are not signed afresh for now: {}", causes(&error).join(": ")),
        }
        report
    }

    async fn tip(&mut self) -> Result<CommitId, LookError> {
        let source = match &mut self.source {
            Some(source) => source,
            none => none.insert(Source::open(self.config.source()).await?),
        };
        Ok(source.tip().await?)
    }

    /// Proves, compiles and publishes `tip`.
    async fn take(&mut self, tip: &CommitId) -> Result<Looked, LookError> {
        self.check_store().await?;
        if self.good.as_ref().is_none_or(|good| good.commit.id() != tip) {
            self.good = Some(self.prove(tip).await?);
        }
        let good = self.good.as_mut().expect("it was just proven");
        let report = publish(&self.publisher, &good.commit, &good.compilation, &good.ancestry).await;
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
        good.everywhere = true;
        self.published = Some(tip.clone());
        let checkpoint = Checkpoint { tip: tip.clone(), release_seq: good.commit.release_seq() };
        let folder = self.config.state.clone();
        if let Err(error) = blocking(move || checkpoint.write(&folder)).await {
            tracing::warn!("The checkpoint is not written, so the next start judges more commits again: {error}");
        }
        let standing = places(&self.publisher.store).await.unwrap_or_else(|error| {
            // Everything is published, so this is no reason to say that it is not.
            tracing::warn!("Whether the store has more than the configuration is not known: {error}");
            Vec::new()
        });
        let vanished = standing.iter().filter(|place| !bundles.contains_key(place)).map(|(app, region)| {
            format!("app `{app}` in region `{region}` is not in the configuration any more; its pointer stays as it is")
        });
        let blocked = report.blocked.iter().map(|blocked| {
            let (app, region, bundle) = (&blocked.app, &blocked.region, blocked.digest.short());
            format!("app `{app}` in region `{region}` does not get bundle {bundle}: it was taken back by hand")
        });
        let notes = vanished.chain(blocked).collect();
        Ok(Looked { commit: tip.clone(), notes, report: Report { failed: Vec::new(), ..report } })
    }

    async fn check_store(&self) -> Result<(), BaseError> {
        match &self.published {
            Some(published) => base::check_not_emptied(&self.publisher.store, published).await,
            None => Ok(()),
        }
    }

    async fn prove(&mut self, tip: &CommitId) -> Result<Good, LookError> {
        let source = self.source.as_ref().expect("the tip was read from it");
        let objects = source.objects_path();
        let base = base::find(&self.publisher, &self.config, objects.clone()).await?;
        if let Base::Published { commit, .. } = &base {
            self.published.get_or_insert_with(|| commit.clone());
        }
        let previous = self.good.as_ref().map(|good| Arc::clone(&good.compilation));
        let config = Arc::clone(&self.config);
        let Proven { commit, compilation } =
            prove(config, objects.clone(), base, tip.clone(), previous, self.publisher.now()).await?;
        let ancestry: Arc<dyn Ancestry> = Arc::new(GitAncestry { objects, tip: tip.clone() });
        Ok(Good { commit, compilation: Arc::new(compilation), ancestry, everywhere: false })
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
