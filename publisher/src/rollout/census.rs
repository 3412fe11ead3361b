//! Counts what the agents of one region say about one generation.
//!
//! Only words about the very generation of the newest pointer count, and only while that pointer says what the record wants.
//! An agent counts once, by its newest word; agents in quarantine and agents that fell silent do not count at all.

use std::fmt;
use std::time::Duration;

use schema::ack::Step;
use schema::fleet::AgentReport;
use schema::pointer::Phase;
use schema::rollout::{Leg, Place, Rollout};
use schema::{AgentId, Digest, Outcome, Pointer, Region, Timestamp};

use super::observed::RegionView;
use super::wanted::wanted;

/// What a region's agents say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// Agents that are alive and not in quarantine.
    pub(super) live: u64,
    /// Those of them that are meant: by the candidate, or, without one, all.
    pub(super) meant: u64,
    /// Of those that are meant.
    pub(super) prepared: u64,
    /// Of those that are meant.
    pub(super) unprepared: u64,
    /// Of those that are meant.
    pub(super) applied: u64,
    /// Of those that are meant.
    pub(super) failed: u64,
    /// Said yes to the same bundle in an earlier generation, and did not answer this one yet.
    pub(super) catching_up: u64,
    /// Agents in quarantine, alive or not.
    pub(super) quarantined: u64,
    /// What those that failed say, the first few texts.
    pub(super) reasons: Vec<Reason>,
}

/// What agents that failed say, and who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    /// The first that says so.
    agent: AgentId,
    /// How many others say the same.
    others: u64,
    /// Untrusted.
    text: Box<str>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reason { agent, others, text } = self;
        match others {
            0 => write!(f, "{agent}: {text}"),
            1 => write!(f, "{agent} and another: {text}"),
            _ => write!(f, "{agent} and {others} others: {text}"),
        }
    }
}

/// Agents that were heard within `live_within`, each once, that are not in quarantine.
pub(super) fn live<'a>(view: RegionView<'a>, live_within: Duration, now: Timestamp) -> Vec<&'a AgentReport> {
    let quarantine = &view.pointer.quarantine;
    alive(view, live_within, now).into_iter().filter(|report| !quarantine.contains(&report.agent)).collect()
}

/// Agents that were heard within `live_within`, each once.
pub(super) fn alive<'a>(view: RegionView<'a>, live_within: Duration, now: Timestamp) -> Vec<&'a AgentReport> {
    let heard = view.reports.iter().filter(|report| now.since(report.heard) <= live_within);
    let mut newest: Vec<&AgentReport> = heard.collect();
    // Quick where they are in order already, and quicker than a map where they are not: a large fleet is counted often.
    newest.sort_by(|one, other| one.agent.cmp(&other.agent).then(other.heard.cmp(&one.heard)));
    newest.dedup_by(|next, kept| next.agent == kept.agent);
    newest
}

/// Counts `region` for `state`.
pub(super) fn census(state: &Rollout, region: &Region, leg: &Leg, view: RegionView<'_>, now: Timestamp) -> Census {
    let live = live(view, state.policy.live_within.0, now);
    let mut census =
        Census { live: count(live.len()), quarantined: count(view.pointer.quarantine.len()), ..Census::default() };
    let Some(wanted) = wanted(state, region) else { return census };
    let is_shown = wanted.is_shown_by(view.pointer);
    // A region that went back is asked for nothing; what agents run there is what they ran before.
    let asked = if matches!(leg.place, Place::Back { .. }) { leg.from.digest } else { leg.to.digest };
    let phase = wanted.candidate.as_ref().map_or(Phase::Activate, |candidate| candidate.phase);
    for report in live {
        if wanted.candidate.as_ref().is_some_and(|candidate| !candidate.selects(report.member())) {
            continue;
        }
        census.meant += 1;
        if is_shown {
            census.hear(report, view.pointer, asked, phase);
        }
    }
    census
}

impl Census {
    fn hear(&mut self, report: &AgentReport, pointer: &Pointer, asked: Digest, phase: Phase) {
        if report.attempted != asked || report.epoch != pointer.epoch {
            return;
        }
        if report.generation != pointer.generation {
            let said_yes = match phase {
                Phase::Prepare => report.outcome == Outcome::Prepared,
                Phase::Activate => report.outcome == Outcome::Applied,
            };
            self.catching_up += u64::from(said_yes && report.generation < pointer.generation);
            return;
        }
        match (report.outcome, phase) {
            (Outcome::Prepared, Phase::Prepare) => self.prepared += 1,
            (Outcome::Applied, Phase::Activate) => self.applied += 1,
            // It is tried again, and the next word may be a yes.
            (Outcome::Unprepared, Phase::Prepare) if is_about_bytes(report.step) => {}
            (Outcome::Unprepared | Outcome::Failed, Phase::Prepare) => {
                self.unprepared += 1;
                self.explain(report);
            }
            (Outcome::Failed | Outcome::Unprepared, Phase::Activate) => {
                self.failed += 1;
                self.explain(report);
            }
            // Bytes that could not be had, or a pointer that expired, are no word about the bundle: neither yes nor no.
            (Outcome::Refused | Outcome::Stale, _)
            | (Outcome::Applied, Phase::Prepare)
            | (Outcome::Prepared, Phase::Activate) => {}
        }
    }

    fn explain(&mut self, report: &AgentReport) {
        let text = report.reason.clone().unwrap_or_else(|| "no reason given".into());
        self.add_reason(Reason { agent: report.agent.clone(), others: 0, text });
    }

    fn add_reason(&mut self, reason: Reason) {
        if let Some(known) = self.reasons.iter_mut().find(|known| known.text == reason.text) {
            known.others += 1 + reason.others;
        } else if self.reasons.len() < REASONS {
            self.reasons.push(reason);
        }
    }

    /// How many said yes to what they were asked.
    pub(super) fn yes(&self) -> u64 {
        self.prepared + self.applied
    }

    /// How many said no.
    pub(super) fn no(&self) -> u64 {
        self.unprepared + self.failed
    }

    /// How many are to answer: no fewer than when it began.
    pub(super) fn expected(&self, leg: &Leg) -> u64 {
        match leg.place {
            Place::Candidate { expected, .. } => expected.max(self.meant),
            Place::Untouched | Place::Stable | Place::Back { .. } => self.meant,
        }
    }

    /// Adds the numbers of another region.
    pub(super) fn add(&mut self, other: Census) {
        for (ours, theirs) in [
            (&mut self.live, other.live),
            (&mut self.meant, other.meant),
            (&mut self.prepared, other.prepared),
            (&mut self.unprepared, other.unprepared),
            (&mut self.applied, other.applied),
            (&mut self.failed, other.failed),
            (&mut self.catching_up, other.catching_up),
            (&mut self.quarantined, other.quarantined),
        ] {
            *ours += theirs;
        }
        other.reasons.into_iter().for_each(|reason| self.add_reason(reason));
    }
}

/// Whether what stopped an agent were bytes that could not be had, or were not those that were signed: the fault of whoever
/// serves them, a gateway that restarts say, and no word about the bundle.
fn is_about_bytes(step: Option<Step>) -> bool {
    matches!(step, Some(Step::Verify | Step::Fetch | Step::Stage))
}

pub(super) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

const REASONS: usize = 5;
