//! What an agent has to do for a bundle that it is to have ready, and not to run.

use std::time::Duration;

use schema::ack::{Outcome, Step};
use schema::pointer::Target;
use schema::{Digest, Order, Timestamp};

use super::{Next, Situation, Source, source};

/// What is left to do to get `target` ready in the generation of `order`; nothing when it is settled.
pub(super) fn next(situation: &Situation<'_>, order: Order, target: Option<Target>) -> Option<Next> {
    let target = target?;
    let digest = target.digest;
    let is_there = situation.on_disk.contains(&digest);
    if let Some(answer) = situation.journal.readied_in(order, &digest)
        && (answer.outcome == Outcome::Unprepared || is_there)
        && checked_again_at(situation, order, &digest).is_none_or(|again| situation.now < again)
    {
        return None;
    }
    let source = match source(situation, &digest) {
        // It runs, whatever a hook thought of it, and runs on.
        Source::Disk if situation.current == Some(digest) => Source::Running,
        source => source,
    };
    // A `check` is asked again, since that is cheap and changes nothing; what a switch showed, only a switch can show again.
    match situation.journal.bad(&digest).filter(|bad| bad.step != Step::Check) {
        Some(bad) => Some(Next::Foresee(target, bad.step)),
        None => Some(Next::Prepare(target, source)),
    }
}

/// When an agent in quarantine asks its `check` once more, though no newer generation came: a good one is how it gets out.
///
/// The first times soon, then after as long as the generation is old already, up to an hour.
pub(super) fn checked_again_at(situation: &Situation<'_>, order: Order, digest: &Digest) -> Option<Timestamp> {
    let pointer = situation.pointer.filter(|pointer| pointer.quarantine.contains(situation.member.agent))?;
    let refused = |answer: &&schema::Ack| (answer.outcome, answer.step) == (Outcome::Unprepared, Some(Step::Check));
    let answer = situation.journal.readied_in(order, digest).filter(refused)?;
    Some(answer.at.after(answer.at.since(pointer.issued).clamp(AGAIN_SOONEST, AGAIN_LATEST)))
}

const AGAIN_SOONEST: Duration = Duration::from_secs(2);
const AGAIN_LATEST: Duration = Duration::from_secs(60 * 60);
