//! `driftless.yaml`: which regions there are, which apps, what overlays them where, and how they are rolled out.
//!
//! In: its text. Out: a [`Document`] in which every selector was resolved to regions and every `rollout:` to a policy. Whether the
//! paths exist is seen later.

mod regions;
mod rollouts;

use std::collections::BTreeMap;

use schema::name::Label;
use schema::path::EntryPath;
use schema::rollout::Policy;
use schema::yaml::{self, InvalidYaml, Location, Spanned};
use schema::{App, Limits, Region};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::problem::Found;
use regions::RawRegions;
use rollouts::{RawRollouts, Rollouts};

/// The file's name; it is at the top of the repository.
pub const DOCUMENT: &str = "driftless.yaml";

/// What the file says, checked as far as it can be without the tree.
#[derive(Debug)]
pub(super) struct Document {
    /// In the order of the file.
    pub(super) regions: Vec<Region>,
    pub(super) apps: BTreeMap<App, AppSource>,
}

/// Where an app's files are.
#[derive(Debug)]
pub(super) struct AppSource {
    pub(super) path: Place,
    pub(super) overlays: Vec<Overlay>,
    /// How its commits reach their agents; none: at once.
    pub(super) policy: Option<Policy>,
}

/// One layer over an app's files.
#[derive(Debug)]
pub(super) struct Overlay {
    pub(super) path: Place,
    /// The regions that get it.
    pub(super) regions: Vec<Region>,
}

/// A directory named in the file, and where it is named.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// None for `.`, the whole repository.
    pub(super) path: Option<EntryPath>,
    pub(super) named_at: Location,
}

impl Document {
    /// Reads the text. Notes what is wrong in `found`, and gives what can be used of the rest.
    pub(super) fn parse(text: &str, limits: &Limits, found: &mut Found) -> Option<Document> {
        let raw: RawDocument = match yaml::from_str(DOCUMENT, text, limits) {
            Ok(raw) => raw,
            Err(invalid) => {
                found.note(invalid);
                return None;
            }
        };
        let regions = raw.regions.value.names();
        let mut check = Check { limits, raw_regions: &raw.regions.value, regions: &regions, found };
        check.unsupported("schemas", raw.schemas.as_ref());
        if regions.is_empty() {
            check.note(raw.regions.referenced, "there are no regions; name at least one, like `eu-west: {}`");
            return None;
        }
        if raw.apps.value.is_empty() {
            check.note(
                raw.apps.referenced,
                "there are no apps; name at least one, like `edge-proxy: { path: apps/edge-proxy }`",
            );
        }
        let rollouts = Rollouts::resolve(raw.rollouts.map(|rollouts| rollouts.value).unwrap_or_default(), &mut check);
        let apps = raw.apps.value.into_iter();
        let apps = apps.filter_map(|(app, raw)| Some((app, check.app(raw, &rollouts)?))).collect();
        Some(Document { regions, apps })
    }

    /// The policies of the apps that have one.
    pub(super) fn policies(&self) -> BTreeMap<App, Policy> {
        self.apps.iter().filter_map(|(app, source)| Some((app.clone(), source.policy.clone()?))).collect()
    }
}

struct Check<'c> {
    limits: &'c Limits,
    raw_regions: &'c RawRegions,
    /// In the order of the file; at least one.
    regions: &'c [Region],
    found: &'c mut Found,
}

impl Check<'_> {
    fn note(&mut self, at: Location, wrong: impl Into<String>) {
        self.found.note(InvalidYaml::at(DOCUMENT, at, wrong));
    }

    /// Notes what is wrong with something that is then not to be had.
    fn refuse<T>(&mut self, at: Location, wrong: &str) -> Option<T> {
        self.note(at, wrong);
        None
    }

    fn unsupported(&mut self, key: &str, value: Option<&Spanned<IgnoredAny>>) {
        if let Some(value) = value {
            self.note(value.referenced, format!("`{key}` is not supported by this version; remove it"));
        }
    }

    fn app(&mut self, raw: RawApp, rollouts: &Rollouts) -> Option<AppSource> {
        self.unsupported("schemas", raw.schemas.as_ref());
        let policy = raw.rollout.and_then(|name| rollouts.of_app(&name, self));
        let path = self.place(raw.path, Whole::Allowed);
        let overlays: Vec<Option<Overlay>> = raw.overlays.into_iter().map(|overlay| self.overlay(overlay)).collect();
        Some(AppSource { path: path?, overlays: overlays.into_iter().collect::<Option<_>>()?, policy })
    }

    fn overlay(&mut self, raw: RawOverlay) -> Option<Overlay> {
        for key in raw.when.value.keys() {
            // A selector that can match nowhere is a spelling mistake, and one that would go unnoticed for long.
            if !self.raw_regions.have(key) {
                self.note(
                    raw.when.referenced,
                    format!("no region has a label `{key}`, so this overlay applies nowhere"),
                );
            }
        }
        let regions = self.raw_regions.with(&raw.when.value);
        Some(Overlay { path: self.place(raw.path, Whole::Refused)?, regions })
    }

    fn place(&mut self, raw: Spanned<String>, whole: Whole) -> Option<Place> {
        let named_at = raw.referenced;
        if raw.value == "." && whole == Whole::Allowed {
            return Some(Place { path: None, named_at });
        }
        let text = raw.value.strip_suffix('/').unwrap_or(&raw.value);
        match EntryPath::parse(text.as_bytes(), self.limits) {
            Ok(path) => Some(Place { path: Some(path), named_at }),
            Err(invalid) => {
                let shown = invalid.path.escape_debug();
                self.note(named_at, format!("`{shown}` is not a path in the repository: {}", invalid.wrong));
                None
            }
        }
    }
}

/// Whether `.` may stand for the whole repository.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    Allowed,
    Refused,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDocument {
    regions: Spanned<RawRegions>,
    apps: Spanned<BTreeMap<App, RawApp>>,
    #[serde(default, deserialize_with = "present")]
    schemas: Option<Spanned<IgnoredAny>>,
    #[serde(default, deserialize_with = "present")]
    rollouts: Option<Spanned<RawRollouts>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApp {
    path: Spanned<String>,
    #[serde(default)]
    overlays: Vec<RawOverlay>,
    #[serde(default, deserialize_with = "present")]
    schemas: Option<Spanned<IgnoredAny>>,
    #[serde(default, deserialize_with = "present")]
    rollout: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOverlay {
    path: Spanned<String>,
    when: Spanned<BTreeMap<Label, Label>>,
}

/// Tells a key that stands there with no value from one that is not there.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

#[cfg(test)]
mod tests;
