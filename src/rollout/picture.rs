//! A rollout as text: pure, from what the publisher says of it.
//!
//! In: a [`RolloutStatus`]. Out: lines. What agents and operators wrote is untrusted and comes out on one line each.

use schema::rollout::{End, Place, Stage};
use schema::status::{LegStatus, RolloutStatus};
use schema::text::one_line;

/// One rollout in a block of lines.
pub(super) fn block(rollout: &RolloutStatus) -> Vec<String> {
    let RolloutStatus { app, id, commit, policy, .. } = rollout;
    let policy = one_line(policy, NAME_MAX_CHARS);
    let mut lines = vec![format!("{app}  rollout {id} of {}, policy {policy}", commit.short())];
    lines.push(fact("stage", &stage(rollout)));
    if let Some(paused) = &rollout.paused {
        let (who, why) = (one_line(&paused.who, NAME_MAX_CHARS), one_line(&paused.why, LINE_MAX_CHARS));
        lines.push(fact("paused", &format!("by {who}: {why}")));
    }
    if let Some(waits_for) = &rollout.waits_for {
        lines.push(fact("waits", &one_line(waits_for, LINE_MAX_CHARS)));
    }
    let widest = rollout.regions.iter().map(|leg| leg.region.as_str().len()).max().unwrap_or(0);
    for leg in &rollout.regions {
        lines.push(format!("  {:<widest$}  {}", leg.region.as_str(), leg_line(leg, &rollout.stage)));
        let said = leg.reasons.iter().take(REASONS_MAX).map(|reason| one_line(reason, LINE_MAX_CHARS));
        lines.extend(said.map(|reason| format!("  {:<widest$}    {reason}", "")));
    }
    if let Stage::Ended(End::Failed { why } | End::Aborted { why }) = &rollout.stage {
        lines.push(fact("why", &one_line(why, LINE_MAX_CHARS)));
    }
    if rollout.blocked {
        lines.push(fact(
            "blocked",
            &format!("{} is not published again until another commit supersedes it", commit.short()),
        ));
    }
    lines
}

/// One rollout in one line.
pub(crate) fn in_short(rollout: &RolloutStatus) -> String {
    format!("{}: {}", rollout.app, of_app(rollout))
}

/// The same where the app is named already.
pub(crate) fn of_app(rollout: &RolloutStatus) -> String {
    let RolloutStatus { id, commit, .. } = rollout;
    let paused = if rollout.paused.is_some() { ", paused" } else { "" };
    let blocked = if rollout.blocked { ", blocked" } else { "" };
    format!("rollout {id} of {}: {}{paused}{blocked}", commit.short(), stage(rollout))
}

fn stage(rollout: &RolloutStatus) -> String {
    match &rollout.stage {
        Stage::Waiting { since } => format!("waiting since {since}"),
        Stage::Preparing { everyone: false, since } => format!("preparing, the first wave's agents, since {since}"),
        Stage::Preparing { everyone: true, since } => format!("preparing, all agents, since {since}"),
        Stage::Wave { index, since } => format!("wave {} of {} since {since}", index + 1, rollout.waves),
        Stage::Ended(End::Complete) => format!("complete since {}", rollout.at),
        Stage::Ended(End::Failed { .. }) => format!("failed at {}", rollout.at),
        Stage::Ended(End::Aborted { .. }) => format!("aborted at {}", rollout.at),
        Stage::Ended(End::Superseded { by }) => format!("superseded by {} at {}", by.short(), rollout.at),
    }
}

fn leg_line(leg: &LegStatus, stage: &Stage) -> String {
    let quarantined = if leg.quarantined > 0 { format!(", {} in quarantine", leg.quarantined) } else { String::new() };
    match &leg.place {
        Place::Untouched => format!("not begun, {} agents{quarantined}", leg.live),
        Place::Stable => format!("stable for all, {} agents{quarantined}", leg.live),
        Place::Back { why } => format!("went back: {}", one_line(why, LINE_MAX_CHARS)),
        Place::Candidate { .. } => {
            let counts = match stage {
                Stage::Preparing { .. } => Counts {
                    good: (leg.prepared, "prepared"),
                    bad: (leg.unprepared, "cannot"),
                    silent: leg.silent,
                    of: leg.expected,
                },
                _ => Counts {
                    good: (leg.applied, "applied"),
                    bad: (leg.failed, "failed"),
                    silent: leg.silent,
                    of: leg.expected,
                },
            };
            format!("{} {}{quarantined}", leg.share, counts.in_words())
        }
    }
}

/// What the agents said that are meant.
struct Counts {
    good: (u64, &'static str),
    bad: (u64, &'static str),
    silent: u64,
    of: u64,
}

impl Counts {
    fn in_words(&self) -> String {
        let Counts { good: (good, is_good), bad: (bad, is_bad), silent, of } = self;
        format!("{} {good} of {of} {is_good}, {bad} {is_bad}, {silent} silent", self.bar())
    }

    /// `#` for those that did it, `x` for those that could not, `.` for the rest. One agent is seen, however many there are.
    fn bar(&self) -> String {
        let cells = |n: u64| {
            let cells = n.saturating_mul(BAR_CELLS).checked_div(self.of).unwrap_or(0).min(BAR_CELLS);
            if n > 0 { cells.max(1) } else { 0 }
        };
        let bad = cells(self.bad.0);
        let good = cells(self.good.0).min(BAR_CELLS - bad);
        let repeat = |letter: &str, n: u64| letter.repeat(usize::try_from(n).expect("a bar is short"));
        format!("[{}{}{}]", repeat("#", good), repeat("x", bad), repeat(".", BAR_CELLS - good - bad))
    }
}

fn fact(name: &str, text: &str) -> String {
    format!("  {name:<8}{text}")
}

const BAR_CELLS: u64 = 24;
/// Reasons that are shown for each region.
const REASONS_MAX: usize = 5;
const NAME_MAX_CHARS: usize = 64;
/// Untrusted text is shown on one line of at most this.
const LINE_MAX_CHARS: usize = 300;

#[cfg(test)]
mod tests;
