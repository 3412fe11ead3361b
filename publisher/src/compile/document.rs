//! `driftless.yaml`: which regions there are, which apps, and what overlays them where.
//!
//! In: its text. Out: a [`Document`] in which every selector was resolved to regions. Whether the paths exist is seen later.

use std::collections::BTreeMap;

use schema::name::Label;
use schema::path::EntryPath;
use schema::yaml::{self, InvalidYaml, Location, Spanned};
use schema::{App, Limits, Region};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::problem::Found;

/// The file's name; it is at the top of the repository.
pub const DOCUMENT: &str = "driftless.yaml";

/// What the file says, checked as far as it can be without the tree.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) regions: Vec<Region>,
    pub(super) apps: BTreeMap<App, AppSource>,
}

/// Where an app's files are.
#[derive(Debug)]
pub(super) struct AppSource {
    pub(super) path: Place,
    pub(super) overlays: Vec<Overlay>,
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
        let mut check = Check { limits, regions: &raw.regions.value, found };
        check.unsupported("schemas", raw.schemas.as_ref());
        check.unsupported("rollouts", raw.rollouts.as_ref());
        if raw.regions.value.is_empty() {
            check.note(raw.regions.referenced, "there are no regions; name at least one, like `eu-west: {}`");
        }
        if raw.apps.value.is_empty() {
            check.note(
                raw.apps.referenced,
                "there are no apps; name at least one, like `edge-proxy: { path: apps/edge-proxy }`",
            );
        }
        let apps = raw.apps.value.into_iter().filter_map(|(app, raw)| Some((app, check.app(raw)?))).collect();
        Some(Document { regions: raw.regions.value.into_keys().collect(), apps })
    }
}

struct Check<'c> {
    limits: &'c Limits,
    regions: &'c BTreeMap<Region, Option<RawRegion>>,
    found: &'c mut Found,
}

impl Check<'_> {
    fn note(&mut self, at: Location, wrong: impl Into<String>) {
        self.found.note(InvalidYaml::at(DOCUMENT, at, wrong));
    }

    fn unsupported(&mut self, key: &str, value: Option<&Spanned<IgnoredAny>>) {
        if let Some(value) = value {
            self.note(value.referenced, format!("`{key}` is not supported by this version; remove it"));
        }
    }

    fn app(&mut self, raw: RawApp) -> Option<AppSource> {
        self.unsupported("schemas", raw.schemas.as_ref());
        self.unsupported("rollout", raw.rollout.as_ref());
        let path = self.place(raw.path, Whole::Allowed);
        let overlays: Vec<Option<Overlay>> = raw.overlays.into_iter().map(|overlay| self.overlay(overlay)).collect();
        Some(AppSource { path: path?, overlays: overlays.into_iter().collect::<Option<_>>()? })
    }

    fn overlay(&mut self, raw: RawOverlay) -> Option<Overlay> {
        for key in raw.when.value.keys() {
            // A selector that can match nowhere is a spelling mistake, and one that would go unnoticed for long.
            if !self.regions.values().flatten().any(|region| region.labels.contains_key(key)) {
                self.note(
                    raw.when.referenced,
                    format!("no region has a label `{key}`, so this overlay applies nowhere"),
                );
            }
        }
        let matches = |region: &Option<RawRegion>| {
            let labels = region.as_ref().map(|region| &region.labels);
            raw.when.value.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
        };
        let regions = self.regions.iter().filter(|(_, region)| matches(region)).map(|(name, _)| name.clone()).collect();
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
    regions: Spanned<BTreeMap<Region, Option<RawRegion>>>,
    apps: Spanned<BTreeMap<App, RawApp>>,
    #[serde(default, deserialize_with = "present")]
    schemas: Option<Spanned<IgnoredAny>>,
    #[serde(default, deserialize_with = "present")]
    rollouts: Option<Spanned<IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRegion {
    #[serde(default)]
    labels: BTreeMap<Label, Label>,
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
    rollout: Option<Spanned<IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOverlay {
    path: Spanned<String>,
    when: Spanned<BTreeMap<Label, Label>>,
}

/// Tells a key that stands there with no value from one that is not there.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Spanned<IgnoredAny>>, D::Error> {
    Spanned::deserialize(value).map(Some)
}

#[cfg(test)]
mod tests;
