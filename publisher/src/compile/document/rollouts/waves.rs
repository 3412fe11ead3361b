//! The waves of a policy, spread out over the regions of the file.
//!
//! In: waves as they stand in the file. Out: waves in which `*` means every region that has somebody left, so that
//! in each region every wave reaches somebody new and the last one reaches everyone.

use std::collections::BTreeMap;

use schema::Region;
use schema::name::Label;
use schema::pointer::Selector;
use schema::rollout::{RegionSet, Share, Wave};
use schema::time::Length;
use schema::yaml::{Location, Spanned};
use serde::Deserialize;

use super::values::RawShare;
use super::{Check, LISTED_MAX, present};
use crate::nearest::did_you_mean;

/// One wave as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWave {
    /// Where: names, or `["*"]` for every region that has somebody left; that is also the default.
    #[serde(default, deserialize_with = "present")]
    regions: Option<Spanned<Vec<Spanned<String>>>>,
    /// How many of those agents, earlier waves included.
    share: Spanned<RawShare>,
    /// Only agents with these labels.
    #[serde(default)]
    labels: BTreeMap<Label, Label>,
    /// How long to look before the next wave.
    #[serde(default)]
    pub(super) soak: RawSoak,
}

/// How long to look: no time, where nothing is said.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct RawSoak(Length);

impl Default for RawSoak {
    fn default() -> RawSoak {
        RawSoak(Length(std::time::Duration::ZERO))
    }
}

impl RawSoak {
    pub(super) fn length(&self) -> std::time::Duration {
        self.0.0
    }
}

/// Which agents the waves so far reach.
#[derive(Default)]
struct Reached(Vec<(Region, Selector, Share)>);

/// What a slice adds to what the waves before it reach.
enum Addition {
    Somebody,
    /// Everyone is in already.
    NobodyLeft,
    /// An earlier slice, with that share, has all of these agents.
    NobodyNew(Share),
}

impl Reached {
    fn adds(&self, region: &Region, when: &Selector, share: Share) -> Addition {
        let before = self.0.iter().filter(|(reached, wider, _)| reached == region && wider.matches(&when.labels));
        match before.map(|(_, _, share)| *share).max() {
            Some(Share::FULL) => Addition::NobodyLeft,
            Some(before) if before >= share => Addition::NobodyNew(before),
            _ => Addition::Somebody,
        }
    }

    fn has_everyone(&self, region: &Region) -> bool {
        matches!(self.adds(region, &Selector::default(), Share::FULL), Addition::NobodyLeft)
    }
}

impl Check<'_> {
    pub(super) fn waves(&mut self, raw: Spanned<Vec<Spanned<RawWave>>>, has_gate: bool) -> Option<Vec<Wave>> {
        let at = raw.referenced;
        let last = match raw.value.len() {
            0 => return self.refuse(at, "there are no waves; the last one is at least `{ share: 100% }`"),
            count if count > LISTED_MAX => return self.refuse(at, &format!("a policy has at most {LISTED_MAX} waves")),
            count => count - 1,
        };
        let (mut reached, mut waves) = (Reached::default(), Vec::new());
        for (number, raw) in raw.value.into_iter().enumerate() {
            if !has_gate && number < last && raw.value.soak.length().is_zero() {
                let wrong = "without a gate time alone leads to the next wave, so this one needs a `soak`";
                return self.refuse(raw.referenced, wrong);
            }
            waves.push(self.wave(raw, &mut reached)?);
        }
        let left: Vec<&str> =
            self.regions.iter().filter(|region| !reached.has_everyone(region)).map(Region::as_str).collect();
        if !left.is_empty() {
            let names = left.join(", ");
            let wrong =
                format!("not everyone in {names} is ever reached; end with `{{ regions: [{names}], share: 100% }}`");
            return self.refuse(at, &wrong);
        }
        Some(waves)
    }

    fn wave(&mut self, raw: Spanned<RawWave>, reached: &mut Reached) -> Option<Wave> {
        let RawWave { regions, share, labels, soak } = raw.value;
        let (share, share_at) = (share.value.0, share.referenced);
        if share == Share(0) {
            return self.refuse(share_at, "a wave of 0% reaches nobody; remove it, or write a share above 0%");
        }
        let when = Selector { labels };
        let all = self.regions;
        let meant = match &regions {
            None => Meant::Rest,
            Some(names) => self.meant(names)?,
        };
        let chosen = match &meant {
            Meant::Rest => all.to_vec(),
            Meant::Named(named) => named.iter().map(|(region, _)| region.clone()).collect(),
        };
        let mut new = Vec::new();
        for (index, region) in chosen.into_iter().enumerate() {
            let named_at = match &meant {
                Meant::Rest => None,
                Meant::Named(named) => Some(named[index].1),
            };
            match (reached.adds(&region, &when, share), named_at) {
                (Addition::Somebody, _) => new.push(region),
                // What `*` need not mean, it does not.
                (Addition::NobodyLeft, None) => {}
                (Addition::NobodyNew(before), None) if before == share => {}
                (Addition::NobodyLeft, Some(at)) => {
                    let wrong = format!("everyone in `{region}` is in an earlier wave already; remove it here");
                    return self.refuse(at, &wrong);
                }
                (Addition::NobodyNew(before), named_at) => {
                    let wrong = format!(
                        "{share} of `{region}` is nobody new after {before} in an earlier wave: shares of a region grow{}",
                        if named_at.is_none() { "; name the other regions in the place of `*`" } else { "" }
                    );
                    return self.refuse(share_at, &wrong);
                }
            }
        }
        if new.is_empty() {
            return self.refuse(raw.referenced, "this wave reaches nobody new in any region; remove it");
        }
        reached.0.extend(new.iter().map(|region| (region.clone(), when.clone(), share)));
        let regions = if new.len() == all.len() { RegionSet::All } else { RegionSet::Named(new) };
        Some(Wave { regions, share, when, soak: soak.0 })
    }

    /// The regions that a wave names.
    fn meant(&mut self, names: &Spanned<Vec<Spanned<String>>>) -> Option<Meant> {
        match &names.value[..] {
            [] => {
                return self.refuse(names.referenced, "this wave has no regions; name some, or write [\"*\"] for all");
            }
            [star] if star.value == "*" => return Some(Meant::Rest),
            _ => {}
        }
        let mut named: Vec<(Region, Location)> = Vec::new();
        for name in &names.value {
            let shown = name.value.escape_debug();
            let Some(region) = self.regions.iter().find(|region| region.as_str() == name.value) else {
                let wrong = if name.value == "*" {
                    "`*` stands for all regions, so it stands alone".to_owned()
                } else {
                    let meant = did_you_mean(&name.value, self.regions.iter().map(Region::as_str));
                    format!("there is no region `{shown}`{meant}")
                };
                return self.refuse(name.referenced, &wrong);
            };
            if named.iter().any(|(other, _)| other == region) {
                return self.refuse(name.referenced, &format!("`{shown}` is there twice; remove one"));
            }
            named.push((region.clone(), name.referenced));
        }
        Some(Meant::Named(named))
    }
}

/// Which regions a wave is for.
enum Meant {
    /// All that have somebody left.
    Rest,
    /// These, each with its place in the file.
    Named(Vec<(Region, Location)>),
}
