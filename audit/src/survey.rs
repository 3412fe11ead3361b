//! What a store has: every object, by what it is.

use std::collections::{BTreeMap, BTreeSet};

use schema::{App, Digest, Order, Region, RolloutId, StorePath, TrustRoot};

/// The names of all objects, sorted into what they are.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Versions of trust roots.
    pub(crate) roots: BTreeSet<u64>,
    /// What each app has in each region.
    pub(crate) places: BTreeMap<(App, Region), Place>,
    /// What each app has of each bundle.
    pub(crate) bundles: BTreeMap<(App, Digest), BTreeSet<StorePath>>,
    /// The states of each app's rollouts.
    pub(crate) rollouts: BTreeMap<App, BTreeSet<(RolloutId, u64)>>,
    /// Names that are no store path.
    pub(crate) strays: Vec<String>,
    /// How many objects there are.
    pub(crate) objects: u64,
}

/// What one app has in one region.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(crate) has_pointer: bool,
    pub(crate) records: BTreeSet<Order>,
}

impl FromIterator<String> for Survey {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Survey {
        let mut survey = Survey::default();
        names.into_iter().for_each(|name| survey.add(name));
        survey
    }
}

impl Survey {
    fn add(&mut self, name: String) {
        self.objects += 1;
        let Ok(path) = name.parse::<StorePath>() else {
            self.strays.push(name);
            return;
        };
        match &path {
            StorePath::Root { version } => {
                self.roots.insert(*version);
            }
            StorePath::Pointer { app, region } => self.place(app, region).has_pointer = true,
            StorePath::History { app, region, order } => {
                self.place(app, region).records.insert(*order);
            }
            StorePath::Manifest { app, digest }
            | StorePath::Resealed { app, digest, .. }
            | StorePath::Piece { app, digest, .. }
            | StorePath::Bundle { app, digest }
            | StorePath::Patch { app, digest, .. } => {
                self.bundles.entry((app.clone(), *digest)).or_default().insert(path);
            }
            StorePath::Rollout { app, id, n } => {
                self.rollouts.entry(app.clone()).or_default().insert((*id, *n));
            }
        }
    }

    /// Where there should be pointers and are none: of an app that has bundles, of a region that has keys of its own, of anything.
    pub(crate) fn unpublished<'s>(&'s self, root: &'s TrustRoot) -> impl Iterator<Item = String> + 's {
        let placed: BTreeSet<&App> = self.places.keys().map(|(app, _)| app).collect();
        let apps: BTreeSet<&App> =
            self.bundles.keys().map(|(app, _)| app).filter(|app| !placed.contains(app)).collect();
        let placed: BTreeSet<&Region> = self.places.keys().map(|(_, region)| region).collect();
        let regions = root.pointer_of_region.keys().filter(move |region| !placed.contains(region));
        let all = self.places.is_empty().then(|| StorePath::APPS.to_owned());
        all.into_iter()
            .chain(apps.into_iter().map(StorePath::regions_of))
            .chain(regions.map(|region| format!("{}/*/regions/{region}", StorePath::APPS)))
    }

    fn place(&mut self, app: &App, region: &Region) -> &mut Place {
        self.places.entry((app.clone(), region.clone())).or_default()
    }
}
