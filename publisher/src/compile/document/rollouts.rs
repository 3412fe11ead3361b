//! The section `rollouts:`, and what `rollout:` of an app resolves to.
//!
//! In: the section as it stands there, and the regions of the file in their order. Out: one [`Policy`] for each name, with every default
//! and every `*` filled in, or notes that say what is wrong, where, and what to write. Short names need no section:
//! see [`short_names`].

mod short_names;
mod values;
mod waves;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schema::name::Label;
use schema::rollout::{Budget, Gate, Newer, OnFailure, Policy, Prepare, QuarantineRule, Share, Window};
use schema::time::Length;
use schema::yaml::{Location, Spanned};
use serde::Deserialize;

use super::{Check, present};
use crate::nearest::did_you_mean;
use crate::rollout::window::{self, WindowKey};
use short_names::ShortName;
use values::{PolicyName, RawBudget, RawGate, RawReverts};
use waves::RawWave;

/// The most windows, freezes, checks or waves of one policy.
const LISTED_MAX: usize = 64;

/// The policies that the file defines, by name; none under a name whose definition is wrong.
pub(super) struct Rollouts(BTreeMap<PolicyName, Option<Policy>>);

impl Rollouts {
    /// Resolves the section, whether an app uses it or not.
    pub(super) fn resolve(raw: RawRollouts, check: &mut Check<'_>) -> Rollouts {
        let resolve = |(name, raw): (PolicyName, Spanned<RawPolicy>)| {
            let policy = check.policy(&name, raw);
            (name, policy)
        };
        Rollouts(raw.into_iter().map(resolve).collect())
    }

    /// The policy of an app that says `rollout: NAME`; none where everyone gets everything at once.
    pub(super) fn of_app(&self, name: &Spanned<String>, check: &mut Check<'_>) -> Option<Policy> {
        if let Some((_, policy)) = self.0.iter().find(|(defined, _)| defined.as_str() == name.value) {
            return policy.clone();
        }
        if let Some(short) = ShortName::named(&name.value) {
            return short.policy(check.regions);
        }
        let defined = self.0.keys().map(PolicyName::as_str);
        let meant = did_you_mean(&name.value, defined.chain(ShortName::ALL.iter().map(|short| short.as_str())));
        let shown = name.value.escape_debug();
        let wrong = format!("there is no rollout `{shown}` in `rollouts`, and it is no short name{meant}");
        check.note(name.referenced, wrong);
        None
    }
}

/// The section as it stands in the file.
pub(super) type RawRollouts = BTreeMap<PolicyName, Spanned<RawPolicy>>;

/// One policy as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    /// Whether agents get a candidate ready before the first of them runs it; yes, unless there is no gate.
    #[serde(default, deserialize_with = "present")]
    prepare: Option<Spanned<bool>>,
    /// One after the other.
    waves: Spanned<Vec<Spanned<RawWave>>>,
    /// What must hold before the next wave, or `none`.
    #[serde(default, deserialize_with = "present")]
    gate: Option<Spanned<RawGate>>,
    /// What happens when it does not.
    #[serde(default = "rollback")]
    on_failure: OnFailure,
    /// When rollouts may begin and go on.
    #[serde(default)]
    windows: Vec<Spanned<RawWindow>>,
    /// When they may not.
    #[serde(default)]
    freezes: Vec<Spanned<RawWindow>>,
    /// Over how long the agents of a wave spread their switch.
    #[serde(default, deserialize_with = "present")]
    spread: Option<Spanned<Length>>,
    /// How long an agent runs a candidate that nobody confirmed.
    #[serde(default, deserialize_with = "present")]
    confirm_within: Option<Spanned<Length>>,
    /// When agents are left out.
    #[serde(default)]
    quarantine: RawQuarantine,
    /// How a revert to what was good before travels.
    #[serde(default)]
    reverts: RawReverts,
    /// What a newer commit does to a rollout under way.
    #[serde(default = "supersede")]
    newer: Newer,
    /// How long an agent counts as alive after its last word.
    #[serde(default, deserialize_with = "present")]
    live_within: Option<Spanned<Length>>,
}

/// A window or freeze as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWindow {
    cron: Spanned<String>,
    #[serde(rename = "for")]
    length: Spanned<Length>,
    tz: Spanned<String>,
}

/// When agents are left out, as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawQuarantine {
    after: u32,
    at_most: RawBudget,
}

impl Default for RawQuarantine {
    fn default() -> RawQuarantine {
        let QuarantineRule { after, at_most } = defaults::QUARANTINE;
        RawQuarantine { after, at_most: RawBudget(at_most) }
    }
}

fn rollback() -> OnFailure {
    OnFailure::Rollback
}

fn supersede() -> Newer {
    Newer::Supersede
}

/// What holds where a policy says nothing.
mod defaults {
    use super::*;

    pub(super) const LIVE_WITHIN: Length = Length(Duration::from_secs(90));

    pub(super) const QUARANTINE: QuarantineRule =
        QuarantineRule { after: 3, at_most: Budget { percent: Share(500), number: 1 } };

    pub(super) fn gate() -> Gate {
        Gate {
            applied: Share(9_900),
            failed_at_most: Budget { percent: Share(100), number: 1 },
            within: Length(Duration::from_secs(600)),
            checks: Vec::new(),
        }
    }
}

impl Check<'_> {
    /// One policy. Notes all that is wrong with it, and gives it only where nothing is.
    fn policy(&mut self, name: &PolicyName, raw: Spanned<RawPolicy>) -> Option<Policy> {
        let (at, raw) = (raw.referenced, raw.value);
        let gate_at = raw.gate.as_ref().map_or(at, |gate| gate.referenced);
        let gate = raw.gate.map_or_else(RawGate::default, |gate| gate.value).0;
        let prepare = match (&gate, raw.prepare) {
            (Some(_), None) => Prepare::Yes,
            (Some(_), Some(prepare)) if prepare.value => Prepare::Yes,
            (None, Some(prepare)) if prepare.value => {
                let wrong =
                    "with `gate: none` nobody is asked whether agents are ready; remove `prepare`, or the `gate: none`";
                return self.refuse(prepare.referenced, wrong);
            }
            _ => Prepare::No,
        };
        let timing = Timing {
            spread: raw.spread.as_ref().map_or(Duration::ZERO, |spread| spread.value.0),
            within: gate.as_ref().map(|gate| gate.within.0),
            soak: raw.waves.value.iter().map(|wave| wave.value.soak.length()).max().unwrap_or_default(),
        };
        let is_sound = [
            self.is_gate_sound(gate_at, gate.as_ref(), &timing),
            self.is_confirmation_sound(raw.confirm_within.as_ref(), &timing),
            self.is_live_within_sound(raw.live_within.as_ref()),
        ];
        let windows = self.windows(raw.windows);
        let freezes = self.windows(raw.freezes);
        let waves = self.waves(raw.waves, gate.is_some());
        if is_sound.contains(&false) {
            return None;
        }
        Some(Policy {
            name: name.as_str().into(),
            prepare,
            waves: waves?,
            gate,
            on_failure: raw.on_failure,
            windows: windows?,
            freezes: freezes?,
            spread: Length(timing.spread),
            confirm_within: raw.confirm_within.map(|within| within.value),
            quarantine: QuarantineRule { after: raw.quarantine.after, at_most: raw.quarantine.at_most.0 },
            reverts: raw.reverts.into(),
            newer: raw.newer,
            live_within: raw.live_within.map_or(defaults::LIVE_WITHIN, |within| within.value),
        })
    }

    fn is_gate_sound(&mut self, at: Location, gate: Option<&Gate>, timing: &Timing) -> bool {
        let Some(gate) = gate else { return true };
        let mut names = BTreeSet::new();
        let wrong = if gate.applied == Share(0) {
            "a gate that asks for nobody is none; write `gate: none`, and let time alone decide".to_owned()
        } else if gate.within.0 <= timing.spread {
            let (within, spread) = (shown(gate.within.0), shown(timing.spread));
            format!(
                "`within` ({within}) is not longer than `spread` ({spread}), so agents would be late that switch in time"
            )
        } else if gate.checks.len() > LISTED_MAX {
            format!("a gate has at most {LISTED_MAX} checks")
        } else if let Some(bad) = gate.checks.iter().find(|check| check.parse::<Label>().is_err()) {
            format!("`{}` is not the name of a check: use letters, digits, `-`, `_` and `.`", bad.escape_debug())
        } else if let Some(twice) = gate.checks.iter().find(|check| !names.insert(*check)) {
            format!("the check `{twice}` is there twice; remove one")
        } else {
            return true;
        };
        self.note(at, wrong);
        false
    }

    fn is_confirmation_sound(&mut self, confirm: Option<&Spanned<Length>>, timing: &Timing) -> bool {
        let Some(confirm) = confirm else { return true };
        let (length, at) = (confirm.value.0, confirm.referenced);
        let told = shown(length);
        let wrong = if length < timing.spread || length == Duration::ZERO {
            let spread = shown(timing.spread);
            format!(
                "`confirm_within` ({told}) is shorter than `spread` ({spread}), so agents would go back before all have switched"
            )
        } else if timing.within.is_some() && length <= timing.spread + timing.soak {
            let (spread, soak) = (shown(timing.spread), shown(timing.soak));
            format!(
                "`confirm_within` ({told}) is not longer than `spread` ({spread}) and the longest soak ({soak}) together, so \
                 agents would go back before the gate can confirm"
            )
        } else {
            return true;
        };
        self.note(at, wrong);
        false
    }

    fn is_live_within_sound(&mut self, live_within: Option<&Spanned<Length>>) -> bool {
        let Some(live_within) = live_within.filter(|live| live.value.0 < Duration::from_secs(1)) else { return true };
        self.note(
            live_within.referenced,
            "`live_within` is a second at least, and more than two heartbeats of the agents",
        );
        false
    }

    fn windows(&mut self, raw: Vec<Spanned<RawWindow>>) -> Option<Vec<Window>> {
        if let Some(first) = raw.get(LISTED_MAX) {
            return self
                .refuse(first.referenced, &format!("a policy has at most {LISTED_MAX} windows, and as many freezes"));
        }
        let windows: Vec<_> = raw.into_iter().map(|raw| self.window(raw.value)).collect();
        windows.into_iter().collect()
    }

    fn window(&mut self, raw: RawWindow) -> Option<Window> {
        let window = Window { cron: raw.cron.value.into(), length: raw.length.value, tz: raw.tz.value.into() };
        let Err(invalid) = window::check(&window) else { return Some(window) };
        let at = match invalid.key() {
            WindowKey::Cron => raw.cron.referenced,
            WindowKey::Length => raw.length.referenced,
            WindowKey::Zone => raw.tz.referenced,
        };
        self.refuse(at, &invalid.to_string())
    }
}

/// The lengths of a policy that have to fit together.
struct Timing {
    spread: Duration,
    within: Option<Duration>,
    /// The longest.
    soak: Duration,
}

fn shown(length: Duration) -> String {
    Length(length).into()
}

#[cfg(test)]
mod tests;
