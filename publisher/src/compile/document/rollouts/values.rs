//! The values that have a spelling of their own: shares, budgets, gates, names.

use std::fmt;

use schema::rollout::{Budget, Gate, Reverts, Share};
use schema::time::Length;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::defaults;

/// Name of a policy: the grammar of an app's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::compile::document) struct PolicyName(Box<str>);

impl PolicyName {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PolicyName {
    type Error = String;

    fn try_from(name: String) -> Result<PolicyName, String> {
        let wrong = |_| {
            let shown: String = name.chars().take(64).collect();
            format!("`{}` is not a name for a rollout: use 1 to 64 of a-z, 0-9 and `-`", shown.escape_debug())
        };
        name.parse::<schema::App>().map_err(wrong)?;
        Ok(PolicyName(name.into()))
    }
}

/// A share, written `5%`, `0.5%` or `100%`.
#[derive(Clone, Copy)]
pub(super) struct RawShare(pub(super) Share);

fn share(text: &str) -> Option<Share> {
    let number = text.strip_suffix('%')?;
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(rest) || rest.len() > 2 {
        return None;
    }
    let basis_points = whole.parse::<u16>().ok()?.checked_mul(100)?;
    let rest = rest.parse::<u16>().ok()? * if rest.len() == 1 { 10 } else { 1 };
    Some(Share(basis_points.checked_add(rest)?)).filter(|share| *share <= Share::FULL)
}

const SHARES: &str = "a share is written like 5%, 0.5% or 100%, with two decimals and 100% at most";

impl<'de> Deserialize<'de> for RawShare {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<RawShare, D::Error> {
        struct ShareVisitor;

        impl Visitor<'_> for ShareVisitor {
            type Value = RawShare;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a share like 5%")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawShare, E> {
                share(text).map(RawShare).ok_or_else(|| E::custom(SHARES))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<RawShare, E> {
                Err(E::custom(format!("{SHARES}; did you mean `{number}%`?")))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<RawShare, E> {
                Err(E::custom(format!("{SHARES}; did you mean `{number}%`?")))
            }
        }
        value.deserialize_any(ShareVisitor)
    }
}

/// A budget: a share, a number, or both.
///
/// A share alone has 1 for its number, so that one machine does not block a small group; `0%` and `0` are nobody.
pub(super) struct RawBudget(pub(super) Budget);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBoth {
    percent: RawShare,
    number: u64,
}

impl<'de> Deserialize<'de> for RawBudget {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<RawBudget, D::Error> {
        struct BudgetVisitor;

        impl<'de> Visitor<'de> for BudgetVisitor {
            type Value = RawBudget;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a share like 1%, or `{ percent: 1%, number: 3 }`")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<RawBudget, E> {
                Ok(RawBudget(Budget { percent: Share(0), number }))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawBudget, E> {
                let percent = share(text).ok_or_else(|| E::custom(format!("{SHARES}, and a number without %")))?;
                Ok(RawBudget(Budget { percent, number: u64::from(percent > Share(0)) }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawBudget, A::Error> {
                let both = RawBoth::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawBudget(Budget { percent: both.percent.0, number: both.number }))
            }
        }
        value.deserialize_any(BudgetVisitor)
    }
}

/// A gate, or `none`.
pub(super) struct RawGate(pub(super) Option<Gate>);

impl Default for RawGate {
    fn default() -> RawGate {
        RawGate(Some(defaults::gate()))
    }
}

const GATES: &str = "`none`, or rules like `{ applied: 99%, failed_at_most: 3, within: 10m }`";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGateRules {
    applied: Option<RawShare>,
    failed_at_most: Option<RawBudget>,
    within: Option<Length>,
    #[serde(default)]
    checks: Vec<Box<str>>,
}

impl<'de> Deserialize<'de> for RawGate {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<RawGate, D::Error> {
        struct GateVisitor;

        impl<'de> Visitor<'de> for GateVisitor {
            type Value = RawGate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(GATES)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawGate, E> {
                if text == "none" { Ok(RawGate(None)) } else { Err(E::custom(format!("a gate is {GATES}"))) }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawGate, A::Error> {
                let raw = RawGateRules::deserialize(MapAccessDeserializer::new(map))?;
                let usual = defaults::gate();
                Ok(RawGate(Some(Gate {
                    applied: raw.applied.map_or(usual.applied, |share| share.0),
                    failed_at_most: raw.failed_at_most.map_or(usual.failed_at_most, |budget| budget.0),
                    within: raw.within.unwrap_or(usual.within),
                    checks: raw.checks,
                })))
            }
        }
        value.deserialize_any(GateVisitor)
    }
}

/// How a revert travels, as the file spells it.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawReverts {
    #[default]
    AtOnce,
    Waves,
}

impl From<RawReverts> for Reverts {
    fn from(raw: RawReverts) -> Reverts {
        match raw {
            RawReverts::AtOnce => Reverts::AtOnce,
            RawReverts::Waves => Reverts::Waves,
        }
    }
}
