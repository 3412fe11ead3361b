//! The states of one app's rollouts: which are missing, and which nobody could sign who may move those pointers.
//!
//! In: the records of one app, by number. Out: findings. A state is not named by anything, so the removal of an app's last one
//! cannot be told from a store that never had it; what it led to is in the history of pointers, which can.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use schema::{App, Limits, Rollout, RolloutId, Sealed, StorePath};

use crate::chain::Chain;
use crate::finding::{Finding, Flaw, missing};

/// Where a state is.
pub(crate) fn at(app: &App, (id, n): (RolloutId, u64)) -> StorePath {
    StorePath::Rollout { app: app.clone(), id, n }
}

/// Holds the states of `app` against the trusted roots and against one another. `known` are those that were listed.
pub(crate) fn judge(
    chain: &Chain,
    app: &App,
    known: &BTreeSet<(RolloutId, u64)>,
    states: &BTreeMap<(RolloutId, u64), Bytes>,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = gaps(known).into_iter().map(|state| missing(&at(app, state))).collect();
    for (state, bytes) in states {
        let flaw = judge_one(chain, app, *state, bytes);
        findings.extend(flaw.err().map(|flaw| Finding::new(at(app, *state), flaw)));
    }
    findings
}

/// The first state of each gap: rollouts count from one, and so do the states of each.
fn gaps(known: &BTreeSet<(RolloutId, u64)>) -> Vec<(RolloutId, u64)> {
    let mut before = None;
    let mut gaps = Vec::new();
    for (id, n) in known.iter().copied() {
        let (next_state, next_rollout) = match before {
            Some((id, n)) => ((id, u64::saturating_add(n, 1)), RolloutId::next(id)),
            None => ((RolloutId::FIRST, 1), RolloutId::FIRST),
        };
        if id == next_state.0 && n != next_state.1 {
            gaps.push(next_state);
        } else if id != next_state.0 && n != 1 {
            gaps.push((id, 1));
        } else if id > next_rollout {
            gaps.push((next_rollout, 1));
        }
        before = Some((id, n));
    }
    gaps
}

fn judge_one(chain: &Chain, app: &App, (id, n): (RolloutId, u64), bytes: &Bytes) -> Result<(), Flaw> {
    let rollout: Rollout = Sealed::parse::<Rollout>(bytes.clone(), &Limits::DEFAULT)?.held_by_digest()?;
    if (&rollout.app, rollout.id, rollout.n) != (app, id, n) {
        return Err(Flaw::OtherState { app: rollout.app, id: rollout.id, n: rollout.n });
    }
    // What was signed before the root that was given may have keys that no trusted root knows.
    match chain.open_rollout(bytes, rollout.regions.keys()) {
        Err(_) if rollout.at < chain.given().issued => Err(Flaw::BeforeTheRoot),
        opened => Ok(opened?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_told_once_each_however_large() {
        let states = |states: &[(&str, u64)]| {
            states.iter().map(|(id, n)| (id.parse().expect("a number"), *n)).collect::<BTreeSet<(RolloutId, u64)>>()
        };
        for (known, missing) in [
            (states(&[]), vec![]),
            (states(&[("1", 1), ("1", 2), ("2", 1), ("3", 1), ("3", 2)]), vec![]),
            (states(&[("1", 2), ("2", 1)]), vec![("1", 1)]),
            (states(&[("1", 1), ("1", 3)]), vec![("1", 2)]),
            (states(&[("2", 1)]), vec![("1", 1)]),
            (states(&[("1", 1), ("18446744073709551615", 1)]), vec![("2", 1)]),
            (states(&[("1", 1), ("2", 18_446_744_073_709_551_615)]), vec![("2", 1)]),
        ] {
            let missing: Vec<(RolloutId, u64)> = states(&missing).into_iter().collect();
            assert_eq!(gaps(&known), missing, "{known:?}");
        }
    }
}
