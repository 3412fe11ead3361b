//! Policies that need no definition.

use std::time::Duration;

use schema::Region;
use schema::pointer::Selector;
use schema::rollout::{Newer, OnFailure, Policy, Prepare, RegionSet, Reverts, Share, Wave};
use schema::time::Length;

use super::defaults;

/// A policy by name. A definition of the same name in `rollouts` takes its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ShortName {
    /// No policy: a commit is stable everywhere as soon as it is published.
    AllAtOnce,
    /// 1 % of every region, then all.
    Canary,
    /// 5 %, 50 % and all of the first region in the file, then 25 % and all of the others.
    Careful,
    /// All of one region after the other, in the order of the file.
    RegionByRegion,
}

impl ShortName {
    pub(super) const ALL: [ShortName; 4] =
        [ShortName::AllAtOnce, ShortName::Canary, ShortName::Careful, ShortName::RegionByRegion];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            ShortName::AllAtOnce => "all-at-once",
            ShortName::Canary => "canary",
            ShortName::Careful => "careful",
            ShortName::RegionByRegion => "region-by-region",
        }
    }

    pub(super) fn named(name: &str) -> Option<ShortName> {
        ShortName::ALL.into_iter().find(|short| short.as_str() == name)
    }

    /// What it stands for where there are these regions, in the order of the file.
    pub(super) fn policy(self, regions: &[Region]) -> Option<Policy> {
        let (first, others) = regions.split_first()?;
        let first = || RegionSet::Named(vec![first.clone()]);
        let others = (!others.is_empty()).then(|| RegionSet::Named(others.to_vec()));
        let waves = match self {
            ShortName::AllAtOnce => return None,
            ShortName::Canary => vec![wave(RegionSet::All, 1, 5), wave(RegionSet::All, 100, 2)],
            ShortName::Careful => {
                let begin = [wave(first(), 5, 2), wave(first(), 50, 2), wave(first(), 100, 5)];
                let rest = others.into_iter().flat_map(|others| [wave(others.clone(), 25, 2), wave(others, 100, 2)]);
                begin.into_iter().chain(rest).collect()
            }
            ShortName::RegionByRegion => {
                regions.iter().map(|region| wave(RegionSet::Named(vec![region.clone()]), 100, 5)).collect()
            }
        };
        Some(Policy {
            name: self.as_str().into(),
            prepare: Prepare::Yes,
            waves,
            gate: Some(defaults::gate()),
            on_failure: OnFailure::Rollback,
            windows: Vec::new(),
            freezes: Vec::new(),
            spread: Length(Duration::ZERO),
            confirm_within: None,
            quarantine: defaults::QUARANTINE,
            reverts: Reverts::AtOnce,
            newer: Newer::Supersede,
            live_within: defaults::LIVE_WITHIN,
        })
    }
}

fn wave(regions: RegionSet, percent: u16, soak_minutes: u64) -> Wave {
    let soak = Length(Duration::from_secs(soak_minutes * 60));
    Wave { regions, share: Share(percent * 100), when: Selector::default(), soak }
}
