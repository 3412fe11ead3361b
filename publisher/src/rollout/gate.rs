//! When a wave may go on: the arithmetic of a gate over a count.
//!
//! A gate knows three answers, and silence is none of the good ones.

use schema::rollout::Gate;

/// What a gate says to a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Enough said yes, and few enough said no.
    Met {
        /// How many had to.
        needed: u64,
    },
    /// Too few said yes so far, but not too many said no.
    Open {
        /// How many have to.
        needed: u64,
    },
    /// Too many said no.
    Failing {
        /// How many might have.
        allowed: u64,
    },
}

/// Judges `yes` and `no` of `n` agents.
pub(super) fn judge(gate: &Gate, n: u64, yes: u64, no: u64) -> Verdict {
    let allowed = gate.failed_at_most.allows(n);
    if no > allowed {
        return Verdict::Failing { allowed };
    }
    let needed = needed(gate, n);
    if n > 0 && yes >= needed { Verdict::Met { needed } } else { Verdict::Open { needed } }
}

/// How many of `n` have to say yes; at least one, so that nobody's silence ever opens a gate.
fn needed(gate: &Gate, n: u64) -> u64 {
    let may_be_missing = n.saturating_sub(gate.applied.of_rounded_up(n)).max(gate.failed_at_most.allows(n));
    n.saturating_sub(may_be_missing).max(1)
}
