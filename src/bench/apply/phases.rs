//! From moments of many agents to what a whole apply takes, and where.
//!
//! Pure: in go the moment when the pointer stood in the store and what each agent wrote down, out come spreads.

use std::collections::BTreeMap;

use edge_agent::STEPS;
use schema::Outcome;
use serde::Serialize;

use crate::bench::agents::Answer;
use crate::bench::origin::spread::Spread;

/// What came of one generation.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::bench) struct Applied {
    /// Agents that run it, and said so.
    pub(in crate::bench) applied: u64,
    /// Agents that did not, or were not heard.
    pub(in crate::bench) lost: u64,
    /// Bundle bytes that all of them fetched together.
    pub(in crate::bench) bundle_bytes: u64,
    /// From the pointer in the store until agents had it, in milliseconds.
    pub(in crate::bench) notified_ms: Spread,
    /// The same until they ran what it asks for.
    pub(in crate::bench) switched_ms: Spread,
    /// The same until their acks were answered: the whole apply.
    pub(in crate::bench) acked_ms: Spread,
    /// How long the switch itself took: the link, its sync, and the record of it.
    pub(in crate::bench) switch_ms: Spread,
    /// Every step, in order.
    pub(in crate::bench) phases: Vec<Phase>,
    /// Processor time of the gateways, for each agent.
    pub(in crate::bench) gateway_cpu_us: f64,
    /// Processor time of an agent.
    pub(in crate::bench) agent_cpu_us: f64,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
pub(in crate::bench) struct Phase {
    /// What is done when it ends.
    pub(in crate::bench) until: &'static str,
    /// How long it took, counted from the step before; waiting for a processor or a disk included.
    pub(in crate::bench) took_ms: Spread,
    /// When it was done, counted from the pointer in the store.
    pub(in crate::bench) done_ms: Spread,
}

impl Applied {
    /// Of `asked` agents, with the pointer in the store at `moved`, in microseconds since 1970.
    pub(super) fn of(asked: u64, moved: u64, answers: &[Answer]) -> Applied {
        let good: Vec<&Answer> = answers.iter().filter(|answer| answer.outcome == Outcome::Applied).collect();
        let since = |at: u64| at.saturating_sub(moved) as f64 / 1000.0;
        let at = |step: &str| {
            Spread::of(good.iter().filter_map(|answer| answer.moments.get(step)).map(|at| since(*at)).collect())
        };
        let switch = good.iter().filter_map(|answer| answer.between(SWITCH.0, SWITCH.1));
        Applied {
            applied: good.len() as u64,
            lost: asked.saturating_sub(good.len() as u64),
            bundle_bytes: answers.iter().map(|answer| answer.bundle_bytes).sum(),
            notified_ms: Spread::of(good.iter().map(|answer| since(answer.notified)).collect()),
            switched_ms: at("apply-switch-synced"),
            acked_ms: at("apply-acked"),
            switch_ms: Spread::of(switch.collect()),
            phases: phases(&good, since),
            ..Applied::default()
        }
    }
}

impl Answer {
    fn between(&self, from: &str, to: &str) -> Option<f64> {
        let (from, to) = (self.moments.get(from)?, self.moments.get(to)?);
        Some(to.saturating_sub(*from) as f64 / 1000.0)
    }
}

/// Steps that no agent went through are left out; what comes after them is counted from the one before.
fn phases(answers: &[&Answer], since: impl Fn(u64) -> f64) -> Vec<Phase> {
    let mut spent: BTreeMap<usize, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for answer in answers {
        let mut before = answer.notified;
        spent.entry(0).or_default().1.push(since(before));
        for (at, step) in STEPS.iter().enumerate().take_while(|(_, step)| **step != "apply-collected") {
            let Some(moment) = answer.moments.get(*step) else { continue };
            let (took, done) = spent.entry(at + 1).or_default();
            took.push(moment.saturating_sub(before) as f64 / 1000.0);
            done.push(since(*moment));
            before = *moment;
        }
    }
    let mut phases: Vec<Phase> = spent
        .into_iter()
        .map(|(at, (took, done))| {
            let until = at.checked_sub(1).map_or("notified", |step| STEPS[step].trim_start_matches("apply-"));
            Phase { until, took_ms: Spread::of(took), done_ms: Spread::of(done) }
        })
        .collect();
    if let Some(notified) = phases.first_mut() {
        notified.took_ms = notified.done_ms;
    }
    phases
}

/// Between these two the switch is made.
const SWITCH: (&str, &str) = ("apply-checked", "apply-applied");

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(notified: u64, moments: &[(&str, u64)], outcome: Outcome) -> Answer {
        let moments = moments.iter().map(|(step, at)| ((*step).to_owned(), *at)).collect();
        Answer { notified, moments, outcome, bundle_bytes: 10 }
    }

    #[test]
    fn phases_are_counted_from_the_step_before() {
        let moments = [
            ("apply-seen", 6_000),
            ("apply-checked", 8_000),
            ("apply-switch-synced", 9_500),
            ("apply-applied", 11_000),
            ("apply-acked", 15_000),
        ];
        let answers = [answer(5_000, &moments, Outcome::Applied), answer(5_000, &moments, Outcome::Refused)];
        let applied = Applied::of(3, 4_000, &answers);
        assert_eq!((applied.applied, applied.lost, applied.bundle_bytes), (1, 2, 20));
        assert_eq!((applied.notified_ms.p50, applied.acked_ms.p99, applied.switch_ms.p50), (1.0, 11.0, 3.0));
        assert_eq!(applied.switched_ms.last, 5.5);
        let took: Vec<(&str, f64)> = applied.phases.iter().map(|phase| (phase.until, phase.took_ms.p50)).collect();
        let expected = [
            ("notified", 1.0),
            ("seen", 1.0),
            ("checked", 2.0),
            ("switch-synced", 1.5),
            ("applied", 1.5),
            ("acked", 4.0),
        ];
        assert_eq!(took, expected);
    }
}
