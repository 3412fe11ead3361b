//! What is asked of a run.

use crate::constants::Constants;
use crate::latency::Latency;
use crate::policy::{PolicyError, PolicySource};
use crate::topology::Topology;

/// What is asked of a run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// How many, in all regions together; at least one in each.
    pub agents: u32,
    /// How many; at most 200.
    pub regions: u16,
    /// What stands between the publisher and the agents.
    pub topology: Topology,
    /// By which commits go.
    pub policy: PolicySource,
    /// How long messages take.
    pub latency: Latency,
    /// The share of exchanges that are lost, from 0 to below 1.
    pub loss: f64,
    /// How many, one after the other, each once the one before has settled; at least one.
    pub commits: u16,
    /// The share of agents on which the last commit's probe says no.
    pub fail_share: f64,
    /// All chance comes from it.
    pub seed: u64,
    /// What is taken for granted.
    pub constants: Constants,
}

/// Says why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A number that makes no sense.
    #[error("{what} is {found}; expected {expected}")]
    Number {
        /// Which.
        what: &'static str,
        /// As it was asked for.
        found: f64,
        /// What there can be.
        expected: &'static str,
    },
    /// The policy cannot be had.
    #[error("there is no policy to go by")]
    Policy(#[from] PolicyError),
}

impl Scenario {
    pub(crate) fn check(&self) -> Result<(), ScenarioError> {
        let number = |what, found, is_fit, expected| match is_fit {
            true => Ok(()),
            false => Err(ScenarioError::Number { what, found, expected }),
        };
        let Scenario { agents, regions, loss, commits, fail_share, .. } = *self;
        number("the number of regions", regions.into(), (1..=200).contains(&regions), "1 to 200")?;
        let some = u32::from(regions) <= agents && agents <= AGENTS_MAX;
        number("the number of agents", agents.into(), some, "one for each region, and no more than 50,000,000")?;
        number("the number of commits", commits.into(), (1..=1_000).contains(&commits), "1 to 1,000")?;
        number("the share that is lost", loss, (0.0..0.9).contains(&loss), "0 to below 0.9")?;
        number("the share that fails", fail_share, (0.0..=1.0).contains(&fail_share), "0 to 1")
    }
}

const AGENTS_MAX: u32 = 50_000_000;
