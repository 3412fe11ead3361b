//! What every step of one app works with: its folder, its journal, its hooks, and those who hear of results.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use follower::Mirrors;
use schema::ack::{Active, Outcome, Step};
use schema::name::Label;
use schema::pointer::{Member, Phase};
use schema::{Ack, AgentId, App, Digest, Order, Region, Serial, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Setback;
use super::marks::{self, reached};
use crate::blocking::blocking;
use crate::config::AppConfig;
use crate::hook::Setting;
use crate::journal::{Applied, Compaction, Intent, Journal, JournalError, JournalState, Record};
use crate::metrics::Metrics;
use crate::outbox::{Delivery, Errand};
use crate::rule::Rule;
use crate::state::AppFolder;
use crate::tree::{DiskError, failed_at};
use crate::trust::Trust;

/// One app on one host, its journal open.
pub(crate) struct Host {
    pub(crate) site: Site,
    pub(crate) ledger: Ledger,
    /// Bundle bytes that moved for the generation being applied.
    pub(crate) moved: Moved,
    /// Versions that were unpacked, or read again, since the start, and were what their names say.
    pub(crate) sound: BTreeSet<Digest>,
}

/// What stays the same about one app for as long as the agent runs.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) about: About,
    pub(crate) hooks: AppConfig,
    pub(crate) keep: usize,
    pub(crate) folder: AppFolder,
    pub(crate) mirrors: Mirrors,
    pub(crate) trust: Arc<Trust>,
    pub(crate) told: Told,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) shutdown: CancellationToken,
}

/// Who answers about what.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) agent: AgentId,
    pub(crate) labels: Arc<BTreeMap<Label, Label>>,
    pub(crate) app: App,
    pub(crate) region: Region,
}

/// Where acks go once they are durable.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// To be sent.
    pub(crate) outbox: mpsc::UnboundedSender<Errand>,
    /// Who is to hear of the answers to them.
    pub(crate) answered: mpsc::UnboundedSender<Ack>,
    /// Somebody in the same process who listens in.
    pub(crate) observer: Option<mpsc::UnboundedSender<Ack>>,
}

/// Bytes that moved for one generation, over all its tries since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moved {
    order: Option<Order>,
    bytes: u64,
}

/// A journal, appended to where that may block.
pub(crate) struct Ledger {
    state: JournalState,
    journal: Arc<Mutex<Journal>>,
}

impl Ledger {
    pub(crate) fn new(journal: Journal) -> Ledger {
        Ledger { state: journal.state().clone(), journal: Arc::new(Mutex::new(journal)) }
    }

    pub(crate) fn state(&self) -> &JournalState {
        &self.state
    }

    /// Makes `record` durable.
    pub(crate) async fn append(&mut self, record: Record) -> Result<(), JournalError> {
        let journal = Arc::clone(&self.journal);
        self.state = blocking(move || {
            let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            journal.append(&record).map(|()| journal.state().clone())
        })
        .await?;
        Ok(())
    }
}

/// What an ack says beyond what it is about.
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) active: Option<Active>,
    pub(crate) step: Option<Step>,
    pub(crate) reason: Option<Box<str>>,
    pub(crate) bundle_bytes: u64,
}

impl About {
    /// The agent as waves see it.
    pub(crate) fn member(&self) -> Member<'_> {
        Member { agent: &self.agent, labels: &self.labels }
    }
}

impl Site {
    /// Counts a refusal of something that was offered to this app.
    pub(crate) fn refused(&self, rule: Option<Rule>) {
        if let Some(rule) = rule {
            self.metrics.refused(Some(&self.about.app), rule);
        }
    }
}

impl Verdict {
    /// The bundle that `intent` asks for runs, because of its generation.
    pub(super) fn applied(intent: &Intent, bundle_bytes: u64) -> Verdict {
        let Order { epoch, generation, serial: _ } = intent.order;
        let active = Some(Active { digest: intent.target, epoch, generation });
        Verdict { outcome: Outcome::Applied, active, step: None, reason: None, bundle_bytes }
    }

    /// Generations in a row that a hook refused after it, `before` of them before it. What was only to be got ready, or
    /// missed its confirmation, says nothing about that.
    fn failures(&self, before: u32) -> u32 {
        match (self.outcome, self.step) {
            (Outcome::Applied, _) => 0,
            (Outcome::Failed, Some(Step::Check | Step::Reload | Step::Probe)) => before.saturating_add(1),
            _ => before,
        }
    }
}

impl Host {
    /// Makes the app's folder where it is missing, and opens its journal.
    pub(crate) async fn open(site: Site, compaction: Compaction) -> Result<Host, JournalError> {
        let folder = site.folder.clone();
        let journal = blocking(move || {
            let made = folder.create();
            made.map_err(|source| JournalError::Io { path: folder.path().to_owned(), source })?;
            Journal::open(&folder.journal(), &folder.current(), compaction)
        });
        Ok(Host { ledger: Ledger::new(journal.await?), moved: Moved::default(), sound: BTreeSet::new(), site })
    }

    /// The clock, but never behind the newest signature that was accepted.
    pub(crate) fn now(&self) -> Timestamp {
        self.ledger.state().time(clock())
    }

    /// Says that a step is done that is safe to stop after.
    ///
    /// # Errors
    /// [`Setback::Shutdown`] when the agent is to stop.
    pub(crate) fn passed(&self, mark: &'static str) -> Result<(), Setback> {
        reached(mark);
        if self.site.shutdown.is_cancelled() { Err(Setback::Shutdown) } else { Ok(()) }
    }

    /// The version that `current` resolves to.
    pub(crate) async fn active(&self) -> Result<Option<Digest>, DiskError> {
        let folder = self.site.folder.clone();
        blocking(move || folder.active().map_err(failed_at(&folder.current(), "read"))).await
    }

    /// `digest` as what runs: brought by the generation that the last ack named, if that is what it named.
    pub(crate) fn as_active(&self, digest: Digest, otherwise: Order) -> Active {
        let known = self.ledger.state().active.filter(|active| active.digest == digest);
        known.unwrap_or(Active { digest, epoch: otherwise.epoch, generation: otherwise.generation })
    }

    /// The attempt as a switch that happens now.
    pub(crate) fn applied(&self, intent: Intent) -> Applied {
        Applied { intent, bundle_bytes: self.moved.of(intent.order), at: self.now() }
    }

    /// What a hook is told about the tree of `digest`, which it is to run with.
    pub(crate) fn setting(&self, order: Order, digest: Digest, previous: Option<Digest>) -> Setting {
        Setting {
            phase: Phase::Activate,
            app: self.site.about.app.clone(),
            region: self.site.about.region.clone(),
            order,
            digest,
            dir: self.site.folder.version(&digest),
            previous_dir: previous.map(|digest| self.site.folder.version(&digest)),
        }
    }

    /// Makes an ack durable and hands it on.
    pub(crate) async fn tell(&mut self, intent: &Intent, verdict: Verdict) -> Result<(), JournalError> {
        self.tell_durably(self.ack(intent, verdict)).await
    }

    async fn tell_durably(&mut self, ack: Ack) -> Result<(), JournalError> {
        self.ledger.append(Record::Outcome { ack: ack.clone() }).await?;
        reached(marks::RESULT);
        self.site.told.send(ack);
        Ok(())
    }

    /// Tells the last word that still stands once more, where something else was told since; nothing where there is none.
    pub(crate) async fn tell_again(&mut self) -> Result<(), JournalError> {
        let Some(word) = self.ledger.state().standing().cloned() else { return Ok(()) };
        let Ack { epoch, generation, attempted, previous, notified_at, failures, .. } = word;
        let order = Order { epoch, generation, serial: Serial::FIRST };
        let about = Intent::unrecorded(order, attempted, previous, notified_at);
        let Ack { outcome, active, step, reason, bundle_bytes, .. } = word;
        let again = self.ack(&about, Verdict { outcome, active, step, reason, bundle_bytes });
        // It failed once, however often that is told.
        self.tell_durably(Ack { failures, ..again }).await
    }

    /// Makes an ack without remembering it: for when the journal is what cannot be written.
    pub(crate) fn ack(&self, intent: &Intent, verdict: Verdict) -> Ack {
        let failures = verdict.failures(self.ledger.state().failures);
        let Verdict { outcome, active, step, reason, bundle_bytes } = verdict;
        // The newest counts, so a clock that was set back must not make an ack look older than the one before.
        let before = self.ledger.state().told.as_ref().map(|ack| ack.at.after(MILLISECOND));
        Ack {
            agent: self.site.about.agent.clone(),
            app: self.site.about.app.clone(),
            region: self.site.about.region.clone(),
            epoch: intent.order.epoch,
            generation: intent.order.generation,
            attempted: intent.target,
            outcome,
            active,
            previous: intent.previous,
            notified_at: intent.notified_at,
            at: before.max(Some(clock())).unwrap_or_else(clock),
            bundle_bytes,
            step,
            reason,
            labels: BTreeMap::clone(&self.site.about.labels),
            failures,
        }
    }
}

impl Told {
    pub(crate) fn send(&self, ack: Ack) {
        // Whoever no longer listens does not want to hear.
        if let Some(observer) = &self.observer {
            let _ = observer.send(ack.clone());
        }
        let _ = self.outbox.send(Errand::Deliver(self.delivery(ack)));
    }

    /// Sends what was told before, and not answered.
    pub(crate) fn send_again(&self, ack: Ack) {
        let _ = self.outbox.send(Errand::Redeliver(self.delivery(ack)));
    }

    fn delivery(&self, ack: Ack) -> Delivery {
        Delivery { ack, answered: Some(self.answered.clone()) }
    }

    /// Passes on what an earlier run of the agent said last, to be said again now and then.
    pub(crate) fn recall(&self, ack: Ack) {
        let _ = self.outbox.send(Errand::Recall(ack));
    }

    /// Says that nobody answers any more.
    pub(crate) fn cut_off(&self) {
        let _ = self.outbox.send(Errand::CutOff);
    }

    /// Says that somebody answers again, after nobody did.
    pub(crate) fn reconnected(&self) {
        let _ = self.outbox.send(Errand::Reconnected);
    }
}

impl Moved {
    pub(crate) fn add(&mut self, order: Order, bytes: u64) {
        *self = Moved { order: Some(order), bytes: self.of(order) + bytes };
    }

    pub(crate) fn of(&self, order: Order) -> u64 {
        let same = self.order.is_some_and(|before| before.same_generation(order));
        if same { self.bytes } else { 0 }
    }
}

/// The host's clock.
pub(crate) fn clock() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

const MILLISECOND: std::time::Duration = std::time::Duration::from_millis(1);
