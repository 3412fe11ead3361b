//! While a wave's agents switch and its gates are watched, region by region.

use schema::pointer::{Cause, Deed};
use schema::rollout::{Gate, Leg, Place, Rollout};
use schema::{Region, Timestamp};

use super::advance::{advance, settle};
use super::census::census;
use super::look::{Checks, Look, Question, look, pointed};
use super::observed::Observed;
use super::record::{after, failed};
use super::step::{Step, earliest};

/// One wave of a rollout under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wave<'a> {
    pub(super) state: &'a Rollout,
    pub(super) gate: &'a Gate,
    pub(super) index: usize,
    /// Without the time that it stood still.
    pub(super) since: Timestamp,
}

impl Wave<'_> {
    /// Why the rollout fails, if in any region too many of those that run the candidate said no: those of earlier waves as well.
    pub(super) fn failing(&self, seen: &Observed<'_>, now: Timestamp) -> Option<String> {
        let runs = |leg: &Leg| matches!(leg.place, Place::Candidate { begun: Some(_), .. });
        let legs = self.state.regions.iter().filter(|(_, leg)| runs(leg));
        let mut looks = legs.map(|(region, leg)| (region, self.look(region, leg, seen, now)));
        looks.find_map(|(region, look)| match look {
            Look::Failing { why } => Some(self.told(region, &why)),
            _ => None,
        })
    }

    /// Decides what becomes of the regions of this wave, and whether the next one begins.
    pub(super) fn go_on(&self, seen: &Observed<'_>, now: Timestamp) -> Step {
        let looks: Vec<(&Region, Look)> =
            self.legs().map(|(region, leg)| (region, self.look(region, leg, seen, now))).collect();
        let late = looks.iter().find_map(|(region, look)| match look {
            Look::Late { why } | Look::Failing { why } => Some(self.told(region, why)),
            _ => None,
        });
        if let Some(why) = late {
            return Step::record(failed(self.state, seen, &why, now), seen);
        }
        if let Some(next) = self.noted(&looks, seen, now) {
            return Step::record(next, seen);
        }
        self.waiting(&looks)
    }

    /// The regions that this wave is about and where it is not through.
    fn legs(&self) -> impl Iterator<Item = (&Region, &Leg)> {
        let wave = &self.state.policy.waves[self.index];
        let is_under_way = |leg: &Leg| matches!(leg.place, Place::Candidate { .. });
        self.state.regions.iter().filter(move |(region, leg)| wave.regions.contains(region) && is_under_way(leg))
    }

    fn look(&self, region: &Region, leg: &Leg, seen: &Observed<'_>, now: Timestamp) -> Look {
        let Some(view) = seen.regions.get(region) else {
            return Look::Unclear { ask: [].into(), why: "its pointer is not known".to_owned(), until: now };
        };
        let counted = census(self.state, region, leg, *view, now);
        let Place::Candidate { met, .. } = leg.place else {
            return Look::Passed;
        };
        let question = Question {
            gate: self.gate,
            policy: &self.state.policy,
            since: self.since,
            soak: self.state.policy.waves[self.index].soak.0,
            met,
            checks: Checks::Asked,
            fleet: leg.fleet,
            pointed: pointed(view.pointer),
        };
        look(&question, &counted, counted.expected(leg), seen, now)
    }

    /// The next record, if something changed that has to be remembered.
    fn noted(&self, looks: &[(&Region, Look)], seen: &Observed<'_>, now: Timestamp) -> Option<Rollout> {
        let has_passed = |region: &Region| looks.iter().any(|(it, look)| *it == region && *look == Look::Passed);
        let number = self.index + 1;
        if looks.iter().all(|(_, look)| *look == Look::Passed) {
            let why = format!("wave {number} of {} passed", self.state.policy.waves.len());
            let mut next = after(self.state, now, Cause::own(Deed::Advance, &why));
            advance(&mut next, seen, now);
            return Some(next);
        }
        let mut next = after(self.state, now, Cause::own(Deed::Advance, ""));
        settle(&mut next, seen, self.index, has_passed);
        let mut why = Vec::new();
        for (region, look) in looks {
            let leg = next.regions.get_mut(*region)?;
            let Place::Candidate { met, confirmed, .. } = &mut leg.place else {
                why.push(format!("{region} is through"));
                continue;
            };
            let now_met = match look {
                Look::Soaking { met, .. } => Some(*met),
                Look::Passed | Look::Unclear { .. } => *met,
                Look::Unsatisfied { .. } | Look::Late { .. } | Look::Failing { .. } => None,
            };
            if now_met != *met {
                let holds = if now_met.is_some() { "holds" } else { "holds no longer" };
                why.push(format!("the gate {holds} in {region}"));
                *met = now_met;
            }
            if *look == Look::Passed && self.state.policy.confirm_within.is_some() && !*confirmed {
                why.push(format!("{region} is confirmed"));
                *confirmed = true;
            }
        }
        if why.is_empty() {
            return None;
        }
        next.cause = Cause::own(Deed::Advance, &format!("wave {number}: {}", why.join(", ")));
        Some(next)
    }

    fn waiting(&self, looks: &[(&Region, Look)]) -> Step {
        let mut step = Step::default();
        let mut waits = Vec::new();
        for (region, look) in looks {
            match look {
                Look::Passed | Look::Late { .. } | Look::Failing { .. } => {}
                Look::Soaking { until, .. } => {
                    waits.push(format!("{region} soaks until {until}"));
                    // The checks have to say yes all along, not only at both ends.
                    step.ask.extend(self.gate.checks.iter().cloned());
                    step.again_at = earliest(step.again_at, Some(*until));
                }
                Look::Unclear { ask, why, until } | Look::Unsatisfied { ask, why, until } => {
                    waits.push(format!("{region}: {why}"));
                    step.ask.extend(ask.iter().cloned());
                    step.again_at = earliest(step.again_at, Some(*until));
                }
            }
        }
        step.waits_for = Some(format!("wave {}: {}", self.index + 1, waits.join("; ")));
        step
    }

    fn told(&self, region: &Region, why: &str) -> String {
        format!("wave {} in {region}: {why}", self.index + 1)
    }
}
