//! Looks at a gate: may it let the wave go on, does it hold, is it too late?

use std::collections::BTreeSet;
use std::time::Duration;

use schema::rollout::{Gate, Policy};
use schema::{Pointer, Serial, Timestamp};

use super::census::Census;
use super::gate::{Verdict, judge};
use super::observed::{CheckVerdict, Observed};

/// A gate and what it is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) gate: &'a Gate,
    pub(super) policy: &'a Policy,
    /// Since when, without the time that it stood still.
    pub(super) since: Timestamp,
    /// How long it must hold.
    pub(super) soak: Duration,
    /// Since when it was satisfied, as far as the record knows.
    pub(super) met: Option<Timestamp>,
    /// Whether checks are asked as well; while agents only prepare there is nothing to see.
    pub(super) checks: Checks,
    /// How many agents there were when the rollout began.
    pub(super) fleet: u64,
    /// When the youngest generation that is asked about was signed, if that is known.
    pub(super) pointed: Option<Timestamp>,
}

/// Whether a gate's checks are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checks {
    Asked,
    Left,
}

/// What a gate looks like now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It was satisfied for as long as it must.
    Passed,
    /// It is satisfied since then, and has to be until then.
    Soaking { met: Timestamp, until: Timestamp },
    /// Whether it is satisfied is not known right now; what was noted stands.
    Unclear { ask: BTreeSet<Box<str>>, why: String, until: Timestamp },
    /// It is not satisfied. Checks are asked once there is something to see, and again while they say no.
    Unsatisfied { ask: BTreeSet<Box<str>>, why: String, until: Timestamp },
    /// It had its time.
    Late { why: String },
    /// Too many said no.
    Failing { why: String },
}

/// Looks at the answers in `census` of `n` agents.
pub(super) fn look(question: &Question<'_>, census: &Census, n: u64, seen: &Observed<'_>, now: Timestamp) -> Look {
    let Question { gate, policy, since, soak, met, .. } = *question;
    let (yes, no) = (census.yes(), census.no());
    let in_time = policy.spread.0 + gate.within.0 + soak;
    let deadline = since.after(in_time);
    let unheard = seen.listening_since.map(|since| since.after(policy.live_within.0)).filter(|by| *by > now);
    let (needed, is_counted) = match judge(gate, n, yes, no) {
        Verdict::Failing { allowed } => {
            return Look::Failing { why: format!("{no} of {n} agents failed, {allowed} may{}", said(census)) };
        }
        Verdict::Open { needed } => (needed, false),
        Verdict::Met { needed } => (needed, true),
    };
    if !is_counted {
        let why = match n {
            0 => "no agent that is meant was heard of lately".to_owned(),
            _ => format!("{yes} of {n} agents said yes, {needed} must{}", said(census)),
        };
        // Nobody's silence means anything to a publisher that has only just begun to listen …
        // … or to agents that were told of a new generation a moment ago, and had said yes to the one before.
        let young = question.pointed.map(|pointed| pointed.after(gate.within.0)).filter(|by| *by > now);
        let young = young.filter(|_| yes + census.catching_up >= needed);
        return match unheard.or(young) {
            Some(until) => Look::Unclear { ask: BTreeSet::new(), why, until },
            None => {
                let until = deadline.max(question.pointed.map_or(deadline, |it| it.after(gate.within.0)));
                unsatisfied(BTreeSet::new(), why, until, now)
            }
        };
    }
    if question.checks == Checks::Asked {
        match checks(gate, seen) {
            Answer::Yes => {}
            Answer::No { why } => return unsatisfied(gate.checks.iter().cloned().collect(), why, deadline, now),
            // A check that never answers is a no in the end.
            Answer::Unasked { ask, why } if now < deadline.after(gate.within.0) => {
                return Look::Unclear { ask, why, until: now.after(ASK_AGAIN) };
            }
            Answer::Unasked { why, .. } => return Look::Late { why },
        }
    }
    let met = met.unwrap_or(now);
    let until = met.after(soak);
    if until > now {
        return Look::Soaking { met, until };
    }
    // Whoever goes on counts those whom the next step means: that takes a publisher that knows its agents again.
    match unheard.filter(|_| census.live + census.quarantined < question.fleet) {
        Some(until) => Look::Unclear { ask: BTreeSet::new(), why: "agents are being counted again".to_owned(), until },
        None => Look::Passed,
    }
}

fn unsatisfied(ask: BTreeSet<Box<str>>, why: String, until: Timestamp, now: Timestamp) -> Look {
    if now < until { Look::Unsatisfied { ask, why, until } } else { Look::Late { why } }
}

/// Who failed first, and what that agent says.
fn said(census: &Census) -> String {
    census
        .reasons
        .first()
        .map_or_else(String::new, |reason| format!(" ({})", schema::text::one_line(&reason.to_string(), 160)))
}

enum Answer {
    Yes,
    No { why: String },
    Unasked { ask: BTreeSet<Box<str>>, why: String },
}

fn checks(gate: &Gate, seen: &Observed<'_>) -> Answer {
    let mut ask = BTreeSet::new();
    for name in &gate.checks {
        match seen.checks.get(name) {
            Some(CheckVerdict::Yes) => {}
            Some(CheckVerdict::No { why } | CheckVerdict::Unknown { why }) => {
                return Answer::No { why: format!("check `{name}` does not say yes: {why}") };
            }
            None => {
                ask.insert(name.clone());
            }
        }
    }
    if ask.is_empty() {
        return Answer::Yes;
    }
    let names: Vec<&str> = ask.iter().map(|name| &**name).collect();
    let why = format!("not answered yet: {}", names.join(", "));
    Answer::Unasked { ask, why }
}

/// When the generation of `pointer` was signed, unless it was signed afresh since.
pub(super) fn pointed(pointer: &Pointer) -> Option<Timestamp> {
    (pointer.serial == Serial::FIRST).then_some(pointer.issued)
}

/// How soon a check that gave no answer is looked at again.
const ASK_AGAIN: Duration = Duration::from_secs(2);
