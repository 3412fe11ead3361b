//! One thing that an agent said, as it is kept.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use bytes::Bytes;
use schema::ack::{Active, Boot, SignedAck, Step};
use schema::name::Label;
use schema::{AgentId, AgentReport, Digest, Epoch, Generation, Outcome, PublicKey, Timestamp, Verified};

/// One thing that an agent said.
#[derive(Debug)]
pub(crate) struct Word {
    agent: AgentId,
    pub(super) boot: Boot,
    n: u64,
    pub(super) group: GroupKey,
    pub(super) at: Timestamp,
    pub(super) outcome: Outcome,
    pub(super) step: Option<Step>,
    pub(super) reason: Option<Box<str>>,
    active: Option<Active>,
    labels: BTreeMap<Label, Label>,
    failures: u32,
    pub(super) notified_ms: Option<u64>,
    pub(super) applied_ms: Option<u64>,
    sealed: Option<SealedWord>,
}

/// A word as its agent signed it: what can be sent along, and proven to anybody.
#[derive(Clone, Debug)]
pub(crate) struct SealedWord {
    /// The agent's.
    pub(crate) key: PublicKey,
    /// The payload line and its signature block.
    pub(crate) bytes: Bytes,
}

/// What a word is about.
pub(super) type GroupKey = (Epoch, Generation, Digest);

impl Word {
    /// `issued` is when the pointer of its generation was first signed, where that is known; without it no latency is counted.
    pub(super) fn of(SignedAck { boot, n, ack }: &SignedAck, issued: Option<Timestamp>) -> Word {
        let since_issued = |moment: Timestamp| {
            // A clock that runs behind the publisher's would give a length below zero: that measured nothing.
            let issued = issued.filter(|issued| moment >= *issued)?;
            u64::try_from(moment.since(issued).as_millis()).ok()
        };
        Word {
            agent: ack.agent.clone(),
            boot: *boot,
            n: *n,
            group: (ack.epoch, ack.generation, ack.attempted),
            at: ack.at,
            outcome: ack.outcome,
            step: ack.step,
            reason: ack.reason.as_deref().map(|reason| schema::text::one_line(reason, REASON_MAX).into()),
            active: ack.active,
            labels: ack.labels.clone(),
            failures: ack.failures,
            notified_ms: since_issued(ack.notified_at),
            applied_ms: since_issued(ack.at).filter(|_| ack.outcome == Outcome::Applied),
            sealed: None,
        }
    }

    /// Keeps it as it was signed as well. A copy, so that it does not hold the whole body that it came in.
    pub(super) fn with_seal(self, key: &PublicKey, signed: &Verified<SignedAck>) -> Word {
        Word { sealed: Some(SealedWord { key: key.clone(), bytes: Bytes::copy_from_slice(signed.bytes()) }), ..self }
    }

    /// As it was signed, where that is kept.
    pub(super) fn sealed(&self) -> Option<&SealedWord> {
        self.sealed.as_ref()
    }

    pub(super) fn agent(&self) -> &AgentId {
        &self.agent
    }

    pub(super) fn generation(&self) -> (Epoch, Generation) {
        (self.group.0, self.group.1)
    }

    /// What gates count; `heard` is when the agent was last heard.
    pub(super) fn report(&self, heard: Timestamp) -> AgentReport {
        let (epoch, generation, attempted) = self.group;
        AgentReport {
            agent: self.agent.clone(),
            labels: self.labels.clone(),
            heard,
            epoch,
            generation,
            attempted,
            outcome: self.outcome,
            step: self.step,
            reason: self.reason.clone(),
            at: self.at,
            active: self.active,
            failures: self.failures,
        }
    }

    /// Whether two words of one agent differ in when they were said alone.
    pub(super) fn says_the_same_as(&self, other: &Word) -> bool {
        let said = |word: &Word| (word.group, word.outcome, word.step, word.active, word.failures);
        said(self) == said(other) && self.reason == other.reason && self.labels == other.labels
    }

    pub(super) fn cmp_in_run(&self, other: &Word) -> Ordering {
        self.n.cmp(&other.n).then_with(|| self.said().cmp(&other.said()))
    }

    pub(super) fn cmp_between_runs(&self, other: &Word) -> Ordering {
        let by_clock = self.at.cmp(&other.at);
        by_clock.then_with(|| self.boot.to_string().cmp(&other.boot.to_string())).then_with(|| self.cmp_in_run(other))
    }

    /// All that was said takes part, so that of two contradicting words with one number the same one is kept whichever came
    /// first.
    fn said(&self) -> impl Ord + '_ {
        let step = self.step.map(|step| step as u8);
        let active = self.active.map(|active| (active.digest, active.epoch, active.generation));
        let why = (step, self.reason.as_deref(), self.failures);
        (self.at, self.outcome, self.group.2, why, active, &self.labels, self.notified_ms)
    }
}

/// How many characters of an agent's reason are kept.
pub(super) const REASON_MAX: usize = 256;
