//! Decides what an agent does next about one app.
//!
//! In: a [`Situation`]: what the journal says, what `current` resolves to, which versions are on the disk, the trust root, the
//! newest pointer that was accepted, and the time. Out: one [`Next`]. Knows nothing of disks, HTTP or hooks, and does nothing.
//!
//! What was begun comes first, whatever the pointer says meanwhile: a crash is answered by the very steps that an
//! undisturbed run takes, so there is no second way through. After a crash `current` tells whether the switch happened.
//!
//! Then comes a candidate on trial (`decide/trial.rs`): it goes when its time is over, although nobody gives a pointer any more. Then what the
//! pointer asks this agent to run, and last what it is to get ready (`decide/ready.rs`). What a pointer asks of an agent is for
//! [`Pointer::assignment`] to say, by which gates count agents, too.

mod ready;
mod trial;

use std::collections::BTreeSet;
use std::time::Duration;

use schema::ack::{Outcome, Step};
use schema::cycle::{Stale, freshness};
use schema::pointer::{Assignment, Member, Run, Target};
use schema::time::Length;
use schema::{Digest, Order, Pointer, Timestamp, TrustRoot, Verified};

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
    /// This agent, as waves see it.
    pub member: Member<'a>,
    /// The time to go by, see [`JournalState::time`].
    pub now: Timestamp,
    /// For how long this run of the agent has watched the trial at hand: the time to go by where a clock was set back.
    pub watched: Duration,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The newest generation runs, what it wants ready is ready, and both were told of.
    Nothing,
    /// Leave everything as it is, and wait.
    Hold(Hold),
    /// Tell something that changes nothing here.
    Report(Report),
    /// A switch happened and its record did not: make it durable, then run the hooks.
    FinishSwitch(Intent),
    /// A switch is durable and has no result yet: run the hooks.
    RunHooks(Applied),
    /// What was refused is on record: go back, if that did not happen yet, and record the result.
    Return(Bad),
    /// Nobody confirmed in time: put that on record, and go back.
    GiveUp(Bad),
    /// A trial ended well: make that durable.
    Confirm(Digest),
    /// Apply the target, whose bundle is to be had from there.
    Apply(Target, Source),
    /// Apply the target, and go back by itself if nobody confirms it within that time of the switch.
    Try(Target, Source, Length),
    /// Say that the target is not tried again, because nobody confirmed it before.
    Decline(Target),
    /// Get the target ready, without switching to it.
    Prepare(Target, Source),
    /// Say that the target would not do: that step refused it before.
    Foresee(Target, Step),
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
    let asked = situation.pointer.map(|pointer| (pointer, asked_by(situation, pointer)));
    let run = asked.as_ref().and_then(|(_, asked)| asked.as_ref().ok()).map(|assignment| assignment.run);
    if let Some(end) = trial::end(situation, run) {
        return end;
    }
    let Some((pointer, asked)) = asked else { return without_a_pointer(situation) };
    let told_stale = was_told_stale(situation.journal, pointer.order());
    match asked {
        Err(_) if told_stale => Next::Hold(Hold::Stale),
        Err(stale) => Next::Report(Report::Stale(stale)),
        Ok(assignment) => match wanted(situation, pointer.order(), assignment) {
            // What was told before it was stale is true again. A host that never had a result has nothing to tell.
            Next::Nothing | Next::Hold(_) if told_stale && situation.journal.standing().is_some() => {
                Next::Report(Report::FreshAgain)
            }
            next => next,
        },
    }
}

/// When to decide again, though nothing is heard: when the agent's turn comes, or the time of a trial is over.
pub fn again_in(situation: &Situation<'_>) -> Option<Duration> {
    let asked = situation.pointer.and_then(|pointer| Some((pointer, asked_by(situation, pointer).ok()?)));
    let turn = asked.and_then(|(pointer, assignment)| {
        let check =
            assignment.ready.and_then(|ready| ready::checked_again_at(situation, pointer.order(), &ready.digest));
        assignment.until.into_iter().chain(check).min()
    });
    let turn = turn.map(|turn| turn.since(situation.now));
    let trial = situation.journal.trial_left(situation.now, situation.watched);
    // What is due already and was not done is held up by something that is heard of.
    turn.into_iter().chain(trial).filter(|left| !left.is_zero()).min()
}

/// What a pointer that counts asks of this agent now.
fn asked_by(situation: &Situation<'_>, pointer: &Pointer) -> Result<Assignment, Stale> {
    freshness(situation.root, pointer, situation.now)?;
    // A clock that was set back does not take back the turn of an agent that began with the candidate.
    let began = situation.journal.intent.filter(|intent| {
        let candidate = pointer.candidate.as_ref().map(|candidate| candidate.target.digest);
        intent.order.same_generation(pointer.order()) && candidate == Some(intent.target)
    });
    let now = situation.now.max(began.and_then(|intent| intent.decided_at).unwrap_or(situation.now));
    Ok(pointer.assignment(situation.member, now))
}

/// What the generation of `order` wants done.
fn wanted(situation: &Situation<'_>, order: Order, assignment: Assignment) -> Next {
    let (target, confirm_within) = match assignment.run {
        Run::Stay => return ready::next(situation, order, assignment.ready).unwrap_or(Next::Hold(Hold::Told)),
        Run::Stable(target) => (target, None),
        Run::Candidate { target, confirm_within } => (target, confirm_within),
    };
    let runs = situation.current == Some(target.digest);
    match situation.journal.result_of(order, &target.digest) {
        Some(result) if result.outcome == Outcome::Applied && runs => {
            return ready::next(situation, order, assignment.ready).unwrap_or(Next::Nothing);
        }
        // Or somebody else took away what was applied.
        Some(result) if result.outcome == Outcome::Applied => {}
        // It is confirmed now, in the same generation.
        Some(result) if result.step == Some(Step::Confirm) && confirm_within.is_none() => {}
        Some(_) => return Next::Hold(Hold::Bad),
        None => {}
    }
    let source = source(situation, &target.digest);
    match confirm_within {
        None => Next::Apply(target, source),
        Some(_) if trial::went_unconfirmed(situation.journal, &target.digest) => Next::Decline(target),
        Some(within) => Next::Try(target, source, Length(within)),
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
    if let Some(bad) = &journal.verdict {
        return Some(Next::Return(bad.clone()));
    }
    let has_result = |intent: &Intent| {
        let begun = (intent.order.epoch, intent.order.generation);
        // What is declined has a result and no intent, and came after whatever was begun.
        let newer = journal.settled.as_ref().is_some_and(|ack| (ack.epoch, ack.generation) > begun);
        newer || journal.result_of(intent.order, &intent.target).is_some()
    };
    let intent = journal.intent.filter(|intent| !has_result(intent))?;
    // Not switched, or already away from it again: whatever pointer is in force decides.
    if current != Some(intent.target) || intent.previous == Some(intent.target) {
        return None;
    }
    let is_of_it = |applied: &Applied| {
        applied.intent.order.same_generation(intent.order) && applied.intent.target == intent.target
    };
    Some(match journal.applied.filter(is_of_it) {
        Some(applied) => Next::RunHooks(applied),
        None => Next::FinishSwitch(intent),
    })
}

fn source(situation: &Situation<'_>, digest: &Digest) -> Source {
    let runs = situation.current == Some(*digest);
    // What was refused can run all the same, where there was nothing to go back to. It has to convince the hooks.
    if runs && situation.journal.bad(digest).is_none() {
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
