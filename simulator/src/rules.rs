//! What must hold, whatever happens: looked at all along, and at the end.

use schema::rollout::{Place, Rollout, Share, Stage};

/// What was found so far.
#[derive(Default)]
pub(crate) struct Rules {
    /// MONO: the first few times that a host ran something because of an older generation than before.
    pub(crate) backward: Breaches,
    /// BLAST: agents that were on a candidate beyond what its wave allows.
    pub(crate) beyond: Breaches,
    /// CONVERGE: agents that are not where the newest pointer of their region wants them.
    pub(crate) astray: Breaches,
}

/// How often a rule was broken, and how the first time.
#[derive(Default)]
pub(crate) struct Breaches {
    pub(crate) number: u64,
    pub(crate) first: Option<String>,
}

impl Breaches {
    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        self.number += 1;
        self.first.get_or_insert_with(what);
    }
}

/// How many agents of each region may run the candidate, by the records so far. Told apart from how the controller and the agents
/// find out, on purpose: by the policy's own words alone.
pub(crate) struct Blast {
    allowed: Vec<u64>,
    on: Vec<u64>,
}

impl Blast {
    /// Nobody yet.
    pub(crate) fn new(regions: usize) -> Blast {
        Blast { allowed: vec![0; regions], on: vec![0; regions] }
    }

    /// Takes note of a record, where a region has that many agents. What was once allowed stays so.
    pub(crate) fn allow(&mut self, state: &Rollout, agents: impl Fn(usize) -> u64) {
        for (number, (region, leg)) in state.regions.iter().enumerate() {
            let share = match (&leg.place, &state.stage) {
                (Place::Stable, _) => Share::FULL,
                (Place::Candidate { .. }, Stage::Wave { index, .. }) => {
                    let waves = state.policy.waves.iter().take(index + 1);
                    let here = waves.filter(|wave| wave.regions.contains(region)).map(|wave| wave.share);
                    here.max().unwrap_or(Share(0))
                }
                _ => Share(0),
            };
            self.allowed[number] = self.allowed[number].max(share.of_rounded_up(agents(number)));
        }
    }

    /// Where there is no policy, everyone may.
    pub(crate) fn allow_all(&mut self, agents: impl Fn(usize) -> u64) {
        for (number, allowed) in self.allowed.iter_mut().enumerate() {
            *allowed = agents(number);
        }
    }

    /// One more agent of that region runs it. None: it may; else how many may, and do.
    pub(crate) fn runs(&mut self, region: usize) -> Option<(u64, u64)> {
        self.on[region] += 1;
        (self.on[region] > self.allowed[region]).then(|| (self.allowed[region], self.on[region]))
    }

    /// How many do, and how many may, in all regions.
    pub(crate) fn sum(&self) -> (u64, u64) {
        (self.on.iter().sum(), self.allowed.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_agent_more_than_a_wave_allows_is_noticed() {
        let mut blast = Blast::new(2);
        assert_eq!(blast.runs(0), Some((0, 1)), "nobody may before the first record");
        let mut blast = Blast::new(2);
        blast.allow_all(|region| [2, 1][region]);
        assert_eq!((blast.runs(0), blast.runs(1), blast.runs(0)), (None, None, None));
        assert_eq!(blast.runs(1), Some((1, 2)));
        assert_eq!(blast.sum(), (4, 3));
    }
}
