//! The rules of a rollout, resolved and checked: what `driftless.yaml` says, without its short names.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::Region;
use crate::pointer::{FULL_SHARE, Selector};
use crate::time::Length;

/// How a commit reaches the agents of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Under which name it stands in `driftless.yaml`.
    pub name: Box<str>,
    /// Whether all agents get a candidate ready before the first of them runs it.
    pub prepare: Prepare,
    /// One after the other; a region is only in waves whose slices grow, and the last one of each region takes everyone.
    pub waves: Vec<Wave>,
    /// What must hold before the next wave; none: time alone, for agents that have nobody to answer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// What happens when a gate says no.
    pub on_failure: OnFailure,
    /// When rollouts may begin and go on; empty: always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// When they may not, though a window is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Window>,
    /// Over how long the agents of a wave spread their switch.
    pub spread: Length,
    /// How long an agent runs a candidate that nobody confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_within: Option<Length>,
    /// When agents that fail again and again are left out.
    pub quarantine: QuarantineRule,
    /// How a revert to a bundle that is known to be good travels.
    pub reverts: Reverts,
    /// What a newer commit does to a rollout that is under way.
    pub newer: Newer,
    /// How long an agent counts as alive after its last word.
    pub live_within: Length,
}

/// Whether candidates are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prepare {
    /// By the first wave's agents first, then by all.
    Yes,
    /// Agents check a candidate when their wave comes.
    No,
}

/// One share of the agents of some regions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    /// Where.
    pub regions: RegionSet,
    /// How many of those with the labels, in basis points.
    pub share: Share,
    /// Only agents with these labels.
    #[serde(default)]
    pub when: Selector,
    /// How long its gate must hold before the next wave.
    pub soak: Length,
}

/// Regions of a wave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionSet {
    /// Every region that the rollout reaches.
    All,
    /// These, as far as the rollout reaches them.
    Named(Vec<Region>),
}

/// What must hold before the next wave. Only what agents signed about this very generation counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// How many of the agents that are meant must have applied it.
    pub applied: Share,
    /// How many may fail.
    pub failed_at_most: Budget,
    /// How long it may take, without the soak.
    pub within: Length,
    /// Checks of the publisher's configuration that must say yes, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Box<str>>,
}

/// A share of the agents, with a number beside it so that one machine does not block a small group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Of the agents that are meant.
    pub percent: Share,
    /// As many as this in any case, but never more than a third of them.
    pub number: u64,
}

/// What happens when a gate says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The regions under way go back, and the commit is blocked.
    Rollback,
    /// All stays as it is until an operator decides.
    Pause,
}

/// A time that comes again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When it begins: a cron expression with seconds, like `0 0 9 * * Mon-Fri`.
    pub cron: Box<str>,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub length: Length,
    /// By which clock: an IANA name, like `Europe/Berlin`.
    pub tz: Box<str>,
}

/// When agents are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineRule {
    /// After how many generations in a row that failed on them; zero: never.
    pub after: u32,
    /// How many may be left out before rollouts stop.
    pub at_most: Budget,
}

/// How a revert travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reverts {
    /// To everyone at once: the bundle was stable before, and left for a newer one.
    AtOnce,
    /// Like everything else.
    Waves,
}

/// What a newer commit does to a rollout under way. A revert never waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Newer {
    /// It takes its place, and begins with the first wave.
    Supersede,
    /// It waits for its end.
    Wait,
}

/// A share in basis points: 0 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(pub u16);

impl Share {
    /// Everyone.
    pub const FULL: Share = Share(FULL_SHARE);

    /// How many of `n` that are, rounded down.
    pub fn of(self, n: u64) -> u64 {
        // Divided first where the product would not fit; no fleet is that large.
        n.saturating_mul(self.0.into()) / u64::from(FULL_SHARE)
    }

    /// How many of `n` that are, rounded up.
    pub fn of_rounded_up(self, n: u64) -> u64 {
        n.saturating_mul(self.0.into()).div_ceil(u64::from(FULL_SHARE))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        if rest == 0 { write!(f, "{whole}%") } else { write!(f, "{whole}.{rest:02}%") }
    }
}

impl Budget {
    /// How many of `n` are within it.
    pub fn allows(&self, n: u64) -> u64 {
        self.percent.of(n).max(self.number.min(n / 3))
    }
}

impl RegionSet {
    /// Whether `region` is one of them.
    pub fn contains(&self, region: &Region) -> bool {
        match self {
            RegionSet::All => true,
            RegionSet::Named(regions) => regions.contains(region),
        }
    }
}

impl Policy {
    /// How long agents spread a switch, in seconds, as a candidate says it.
    pub fn spread_s(&self) -> u32 {
        seconds(self.spread.0)
    }

    /// How long agents wait for a confirmation, in seconds, as a candidate says it; zero: for ever.
    pub fn confirm_within_s(&self) -> u32 {
        self.confirm_within.map_or(0, |length| seconds(length.0).max(1))
    }

    /// What the shape alone does not express.
    ///
    /// # Errors
    /// A lower-case fragment that says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.waves.is_empty() {
            return Err("a policy has at least one wave".to_owned());
        }
        if self.waves.iter().any(|wave| wave.share > Share::FULL || wave.share == Share(0)) {
            return Err("the share of a wave is above 0% and at most 100%".to_owned());
        }
        Ok(())
    }
}

fn seconds(length: Duration) -> u32 {
    u32::try_from(length.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_spares_small_groups_and_never_all_of_one() {
        let budget = Budget { percent: Share(100), number: 3 };
        let allowed: Vec<u64> = [0, 1, 2, 3, 5, 9, 100, 299, 400, 1_000].map(|n| budget.allows(n)).into();
        assert_eq!(allowed, [0, 0, 0, 1, 1, 3, 3, 3, 4, 10]);
    }

    #[test]
    fn a_share_is_rounded_against_the_candidate_or_for_it_as_asked() {
        assert_eq!((Share(500).of(67), Share(500).of_rounded_up(67)), (3, 4));
        assert_eq!((Share::FULL.of(67), Share(1).of(67), Share(1).of_rounded_up(67)), (67, 0, 1));
        assert_eq!(Share::FULL.of(u64::MAX / 2), u64::MAX / 10_000);
        assert_eq!([Share(500), Share(50), Share(1)].map(|share| share.to_string()), ["5%", "0.50%", "0.01%"]);
    }
}
