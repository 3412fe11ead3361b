//! This gateway's verified view of its source: the trust root in force and the newest pointers.
//!
//! In: bytes that a follower found. Out: a board that only ever moves forward, and what is wrong with the source. How and
//! when the source is asked is for `follow/` to know.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schema::{Limits, Succession, Timestamp, TrustRoot, Verified};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::info;

use crate::board::{Board, NotPosted};
use crate::causes::in_one_line;
use crate::clock;
use crate::health::{Health, Subject};
use crate::pair::Pair;
use crate::source::Source;
use crate::trust::Trust;

/// What is known, and from where.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) source: Source,
    pub(crate) trust: Trust,
    pub(crate) board: Board,
    pub(crate) health: Health,
    /// Held while the chain of trust roots is walked, so that many who need a newer one walk it once.
    walking: Mutex<Option<Walk>>,
}

/// How a walk along the chain of trust roots ended.
#[derive(Clone, Debug)]
struct Walk {
    began: Instant,
    /// That there is no newer root, or why that is not known.
    end: Result<(), Arc<str>>,
}

/// Says that the trust root is no longer valid, so that agents hold.
#[derive(Debug, thiserror::Error)]
#[error(
    "trust root {version} expired at {expired}, and there is no newer one; agents hold what they run until there is"
)]
struct RootExpired {
    version: u64,
    expired: Timestamp,
}

impl View {
    pub(crate) fn new(source: Source, trust: Trust) -> View {
        View { source, trust, board: Board::default(), health: Health::default(), walking: Mutex::default() }
    }

    /// Posts what the source says the pointer of `pair` is, if it may.
    ///
    /// One that does not verify may be signed under a trust root that we have not seen yet, so that is looked for first.
    ///
    /// # Errors
    /// [`NotPosted`]; it is noted as trouble, and what is posted stays.
    pub(crate) async fn take(&self, pair: &Pair, bytes: Bytes) -> Result<Succession, NotPosted> {
        let offer = |root: &TrustRoot| self.board.offer(pair, bytes.clone(), root, clock::now());
        let root = self.trust.root();
        let taken = match offer(&root) {
            Err(refused) if refused.may_be_of_a_newer_root() => {
                let newest = self.newer_root(root.version).await;
                newest.map_or(Err(refused), |newest| offer(&newest))
            }
            taken => taken,
        };
        let subject = Subject::Pointer(pair.clone());
        match &taken {
            Ok(succession) => {
                self.health.fine(&subject);
                if *succession == Succession::Newer {
                    self.announce(pair);
                }
            }
            Err(refused) => self.health.trouble(subject, refused),
        }
        taken
    }

    /// Follows the chain of trust roots to its end.
    pub(crate) async fn walk_roots(&self) {
        // What went wrong is noted as trouble.
        let _ = self.walk(&mut *self.walking.lock().await).await;
    }

    /// The newest root, if it is newer than `version`; looks for one unless that was done in the meantime.
    async fn newer_root(&self, version: u64) -> Option<Arc<Verified<TrustRoot>>> {
        let mut last = self.walking.lock().await;
        if self.trust.root().version <= version {
            let _ = self.walk(&mut last).await;
        }
        Some(self.trust.root()).filter(|root| root.version > version)
    }

    /// The root of `version` on the chain that was verified here; looks for it before it says that there is none.
    ///
    /// Every agent asks for the next one with every pointer that moves, so those who ask at a time share one look. Where looking
    /// costs a request, a bucket or an upstream, one look is good for a second; in a directory of this host for nobody who asks
    /// after it began, so that what was put there is served from then on.
    ///
    /// # Errors
    /// Why it is not known whether there is one.
    pub(crate) async fn root(&self, version: u64) -> Result<Option<Arc<Verified<TrustRoot>>>, Arc<str>> {
        if let Some(root) = self.trust.on_chain(version) {
            return Ok(Some(root));
        }
        let asked = Instant::now();
        let looks_cost = self.source.directory().is_none();
        let mut last = self.walking.lock().await;
        let end = match &*last {
            Some(walk) if walk.began >= asked || (looks_cost && walk.began.elapsed() < WALK_EVERY) => walk.end.clone(),
            _ => self.walk(&mut last).await,
        };
        match self.trust.on_chain(version) {
            Some(root) => Ok(Some(root)),
            None => end.map(|()| None),
        }
    }

    async fn walk(&self, last: &mut Option<Walk>) -> Result<(), Arc<str>> {
        let began = Instant::now();
        let walked = self.walk_to_the_end().await;
        let root = self.trust.root();
        match &walked {
            Err(error) => self.health.trouble(Subject::Root, &**error),
            Ok(()) if root.is_expired(clock::now()) => {
                let expired = RootExpired { version: root.version, expired: root.expires };
                self.health.trouble(Subject::Root, &expired);
            }
            Ok(()) => self.health.fine(&Subject::Root),
        }
        let end = walked.map_err(|error| in_one_line(&*error).into());
        *last = Some(Walk { began, end: end.clone() });
        end
    }

    async fn walk_to_the_end(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let limits = Limits::DEFAULT;
        for _ in 0..limits.root_hops_max {
            let root = self.trust.root();
            let path = schema::StorePath::Root { version: root.version.saturating_add(1) };
            let check = |bytes| root.successor(bytes, &limits);
            let next = self.source.document(&path, limits.root_max_bytes, check).await?;
            self.health.answered(clock::now());
            let Some(next) = next else { break };
            info!(version = next.version, "Trust root {} is in force", next.version);
            self.trust.advance(next);
        }
        Ok(())
    }

    fn announce(&self, pair: &Pair) {
        let Some(slot) = self.board.slot(pair) else { return };
        let posted = slot.posted();
        let pointer = posted.pointer();
        let Pair { app, region } = pair;
        info!(%app, %region, generation = %pointer.generation, bundle = %pointer.stable.digest,
            "Generation {} of {app} in {region}", pointer.generation);
    }
}

const WALK_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
