//! Decides what an agent does next about one app.
//!
//! In: a [`Situation`]: what the journal says, what `current` resolves to, which versions are on the disk, the trust root, the
//! newest pointer that was accepted, and the time. Out: one [`Next`]. Knows nothing of disks, HTTP or hooks, and does nothing.
//!
//! What was begun comes first, whatever the pointer says meanwhile: a crash is answered by the very steps that an
//! undisturbed run takes, so there is no second way through. After a crash `current` tells whether the switch happened.
//!
//! Candidates of a rollout are not looked at: this version of the agent runs what is stable.

use std::collections::BTreeSet;

use schema::ack::Outcome;
use schema::cycle::{Stale, freshness};
use schema::pointer::{Member, Target};
use schema::{AgentId, Digest, Order, Pointer, Timestamp, TrustRoot, Verified};

use crate::journal::{Applied, Bad, Intent, JournalState};

/// All that a decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The records of this host, folded.
    pub journal: &'a JournalState,
    /// What `current` resolves to; nothing where it is missing or leads nowhere.
    pub current: Option<Digest>,
    /// Versions that are whole and synced.
    pub on_disk: &'a BTreeSet<Digest>,
    /// The newest pointer that was accepted since the agent started.
    pub pointer: Option<&'a Verified<Pointer>>,
    /// The trust root in force.
    pub root: &'a TrustRoot,
    /// This agent.
    pub agent: &'a AgentId,
    /// The time to go by, see [`JournalState::time`].
    pub now: Timestamp,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The newest generation runs and was told of.
    Nothing,
    /// Leave everything as it is, and wait.
    Hold(Hold),
    /// Tell something that changes nothing here.
    Report(Report),
    /// A switch happened and its record did not: make it durable, then run the hooks.
    FinishSwitch(Intent),
    /// A switch is durable and has no result yet: run the hooks.
    RunHooks(Applied),
    /// A hook said no: go back, if that did not happen yet, and record the result.
    Return(Bad),
    /// Apply the target, whose bundle is to be had from there.
    Apply(Target, Source),
}

/// Why nothing is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// No pointer was accepted since the start.
    NoPointer,
    /// The pointer or the trust root expired, and that was reported.
    Stale,
    /// The pointer freezes its region, or keeps this agent where it is.
    Told,
    /// A hook refused this generation; a newer one is awaited.
    Bad,
}

/// What to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The pointer or the trust root expired.
    Stale(Stale),
    /// It was stale and is fresh again: the last result there was still stands.
    FreshAgain,
}

/// Where the bundle of a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It runs already, and no hook minds; only the generation is new.
    Running,
    /// It is on the disk: nothing is downloaded.
    Disk,
    /// It must be fetched.
    Store,
}

/// Decides.
pub fn next(situation: &Situation<'_>) -> Next {
    if let Some(unfinished) = unfinished(situation.journal, situation.current) {
        return unfinished;
    }
    let Some(pointer) = situation.pointer else { return without_a_pointer(situation) };
    let told_stale = was_told_stale(situation.journal, pointer.order());
    if let Err(stale) = freshness(situation.root, pointer, situation.now) {
        return if told_stale { Next::Hold(Hold::Stale) } else { Next::Report(Report::Stale(stale)) };
    }
    let member = Member { agent: situation.agent, labels: &std::collections::BTreeMap::new() };
    let target = match pointer.assignment(member, situation.now).run.target() {
        // There is no result of this generation to tell of, so what was said last of an older one is true again.
        None if told_stale && situation.journal.settled.is_some() => {
            return Next::Report(Report::FreshAgain);
        }
        None => return Next::Hold(Hold::Told),
        Some(target) => target,
    };
    let runs = situation.current == Some(target.digest);
    match situation.journal.result_of(pointer.order()) {
        Some(result) if result.outcome != Outcome::Applied || runs => {
            if told_stale {
                Next::Report(Report::FreshAgain)
            } else if result.outcome == Outcome::Applied {
                Next::Nothing
            } else {
                Next::Hold(Hold::Bad)
            }
        }
        // Without a result, or somebody else took away what was applied.
        _ => Next::Apply(target, source(situation, &target.digest, runs)),
    }
}

/// Nobody gave a pointer since the start, or a newer trust root no longer knows who signed it. What was accepted last can
/// expire all the same.
fn without_a_pointer(situation: &Situation<'_>) -> Next {
    let (journal, root, now) = (situation.journal, situation.root, situation.now);
    let Some((seen, until)) = journal.seen.zip(journal.until) else { return Next::Hold(Hold::NoPointer) };
    let stale = if root.is_expired(now) {
        Stale::Root { version: root.version, expires: root.expires }
    } else if now >= until.expires {
        Stale::Pointer { expires: until.expires }
    } else {
        return Next::Hold(Hold::NoPointer);
    };
    let told = was_told_stale(journal, seen.order);
    if told { Next::Hold(Hold::Stale) } else { Next::Report(Report::Stale(stale)) }
}

fn was_told_stale(journal: &JournalState, order: Order) -> bool {
    journal.told_of(order).is_some_and(|ack| ack.outcome == Outcome::Stale)
}

/// What a crash or a lost disk left half done.
fn unfinished(journal: &JournalState, current: Option<Digest>) -> Option<Next> {
    let intent = journal.intent.as_ref().filter(|intent| journal.result_of(intent.order).is_none())?;
    if let Some(bad) = journal.bad_at(intent.order) {
        return Some(Next::Return(bad.clone()));
    }
    // Not switched, or already away from it again: whatever pointer is in force decides.
    if current != Some(intent.target) || intent.previous == Some(intent.target) {
        return None;
    }
    Some(match journal.applied.filter(|applied| applied.intent.order.same_generation(intent.order)) {
        Some(applied) => Next::RunHooks(applied),
        None => Next::FinishSwitch(*intent),
    })
}

fn source(situation: &Situation<'_>, digest: &Digest, runs: bool) -> Source {
    // What a hook refused can run all the same, where there was nothing to go back to. It has to convince the hooks.
    if runs && !situation.journal.is_bad(digest) {
        Source::Running
    } else if runs || situation.on_disk.contains(digest) {
        Source::Disk
    } else {
        Source::Store
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
