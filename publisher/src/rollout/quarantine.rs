//! Who is left out, and who may come back.

use std::time::Duration;

use schema::fleet::AgentReport;
use schema::rollout::QuarantineRule;
use schema::{AgentId, Outcome, Pointer, Serial, Timestamp};

/// What a pointer's list of agents in quarantine is to become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuarantineChange {
    /// Agents to pin to what they run, and why, in their own words.
    pub add: Vec<(AgentId, Box<str>)>,
    /// Agents to let go.
    pub release: Vec<AgentId>,
}

impl QuarantineChange {
    /// Whether all stays as it is.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.release.is_empty()
    }
}

/// Who fails this very generation, and failed too many before it, is left out; who was left out for that, and has what everybody
/// runs checked and ready, comes back.
///
/// Who was put in by hand has not failed so often and stays. Who comes back and fails again stays longer every time.
pub fn quarantine(
    pointer: &Pointer,
    reports: &[AgentReport],
    rule: &QuarantineRule,
    now: Timestamp,
) -> QuarantineChange {
    let mut change = QuarantineChange::default();
    let mut room = NAMES_MAX_BYTES.saturating_sub(pointer.quarantine.iter().map(|agent| agent.as_str().len()).sum());
    let answers = |report: &&AgentReport| (report.epoch, report.generation) == (pointer.epoch, pointer.generation);
    let offends = |report: &&AgentReport| rule.after > 0 && report.failures >= rule.after;
    for report in reports.iter().filter(answers).filter(offends) {
        let is_in = pointer.quarantine.contains(&report.agent);
        let failed = matches!(report.outcome, Outcome::Failed | Outcome::Unprepared);
        let is_ready = report.outcome == Outcome::Prepared && report.attempted == pointer.stable.digest;
        if !is_in && failed {
            // Whoever fails and finds no room counts as failed, which stops a rollout just as well.
            let Some(left) = room.checked_sub(report.agent.as_str().len()) else { continue };
            room = left;
            let reason = report.reason.as_deref().unwrap_or("no reason given");
            let why = format!("failed {} generations in a row: {reason}", report.failures);
            change.add.push((report.agent.clone(), why.into()));
        } else if is_in && is_ready && has_waited(pointer, report.failures - rule.after, now) {
            change.release.push(report.agent.clone());
        }
    }
    change
}

/// Whether a generation is old enough to let go an agent that failed `relapses` times more than it takes.
///
/// A generation that was signed afresh was there for a while, however long exactly.
fn has_waited(pointer: &Pointer, relapses: u32, now: Timestamp) -> bool {
    let wait = FIRST_WAIT.saturating_mul(2u32.saturating_pow(relapses)).min(LONGEST_WAIT);
    pointer.serial > Serial::FIRST || now.since(pointer.issued) >= wait
}

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How long the names of all that are left out may be together. A pointer holds 16 KiB, and needs room for a candidate: one that
/// is too large to be signed could not be moved back either.
const NAMES_MAX_BYTES: usize = 6 * 1024;
