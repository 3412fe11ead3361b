//! One app of the document: finds its layers, and lists what they make of each region.
//!
//! In: where the document says that they are. Out: which trees a region's bundle is made of, and the files in it. Lists a layer
//! only when it must, and reads only what is not known from the compilation before.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use schema::path::EntryPath;
use schema::{App, Region, TreeId};

use super::bundle::Compilation;
use super::contents::{self, Listing};
use super::document::{AppSource, Place};
use super::files::{self, Files, Layer, Trees};
use super::known::{Known, Remembering};
use super::objects::{Objects, ObjectsError};
use super::problem::Found;

/// The trees that a bundle was made of: the app's own first, then what lies over it. They settle its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Layers {
    app: App,
    trees: Vec<TreeId>,
}

impl Layers {
    pub(super) fn app(&self) -> &App {
        &self.app
    }
}

/// Compiles one app.
pub(super) struct AppCompiler<'c, O> {
    trees: &'c Trees<'c, Remembering<'c, O>>,
    app: &'c App,
    source: &'c AppSource,
    base: TreeId,
    overlays: Vec<TreeId>,
    /// Files of the layers that were listed: the base first, then each overlay.
    listed: Vec<Option<Files>>,
    /// What is known of the folders that the layers are in.
    known: HashMap<Box<str>, Arc<Known>>,
}

impl<'c, O: Objects> AppCompiler<'c, O> {
    /// Finds the layers, and what `previous` knows of them.
    pub(super) fn locate(
        trees: &'c Trees<'c, Remembering<'c, O>>,
        app: &'c App,
        source: &'c AppSource,
        previous: Option<&Compilation>,
        found: &mut Found,
    ) -> Result<Option<Self>, ObjectsError> {
        let base = trees.locate(&source.path, found)?;
        let mut overlays = Vec::new();
        for overlay in &source.overlays {
            overlays.extend(trees.locate(&overlay.path, found)?);
        }
        let Some(base) = base.filter(|_| overlays.len() == source.overlays.len()) else { return Ok(None) };
        let listed = vec![None; 1 + overlays.len()];
        let places = [&source.path].into_iter().chain(source.overlays.iter().map(|overlay| &overlay.path));
        let known = places.filter_map(|place| {
            let known = previous?.below.get(name(place))?;
            Some((name(place).into(), Arc::clone(known)))
        });
        let known = known.collect();
        Ok(Some(AppCompiler { trees, app, source, base, overlays, listed, known }))
    }

    /// Which overlays a region gets, and all the trees that its bundle is made of.
    pub(super) fn layers(&self, region: &Region) -> (Vec<usize>, Layers) {
        let selected: Vec<usize> =
            (0..self.overlays.len()).filter(|&at| self.source.overlays[at].regions.contains(region)).collect();
        let over = selected.iter().map(|&at| self.overlays[at].clone());
        let layers = Layers { app: self.app.clone(), trees: [self.base.clone()].into_iter().chain(over).collect() };
        (selected, layers)
    }

    /// The files under these overlays. What cannot be one bundle is noted.
    pub(super) fn listing(&mut self, selected: &[usize], found: &mut Found) -> Result<Listing, ObjectsError> {
        self.list(0, found)?;
        for &at in selected {
            self.list(at + 1, found)?;
        }
        let layer = |at: usize| self.listed[at].as_ref().expect("listed just above");
        let overlays = selected.iter().map(|&at| layer(at + 1));
        let files = files::overlaid(self.app, layer(0), overlays, self.trees.limits, found);
        Ok(contents::listing(&files))
    }

    /// Those of `paths` that are files under these overlays. Lists nothing else, so it does not see what is wrong elsewhere.
    pub(super) fn files_at(
        &self,
        selected: &[usize],
        paths: &BTreeSet<EntryPath>,
        found: &mut Found,
    ) -> Result<Listing, ObjectsError> {
        let mut listing = Listing::new();
        for path in paths {
            // What lies on top counts.
            for tree in selected.iter().rev().map(|&at| &self.overlays[at]).chain([&self.base]) {
                if let Some(file) = self.trees.file_at(tree, path, found)? {
                    listing.insert(path.clone(), file);
                    break;
                }
            }
        }
        Ok(listing)
    }

    /// What is known of its folders now.
    pub(super) fn known(self) -> HashMap<Box<str>, Arc<Known>> {
        self.known
    }

    fn list(&mut self, layer: usize, found: &mut Found) -> Result<(), ObjectsError> {
        if self.listed[layer].is_some() {
            return Ok(());
        }
        let (tree, place, kind) = match layer.checked_sub(1) {
            None => (&self.base, &self.source.path, Layer::Base),
            Some(at) => (&self.overlays[at], &self.source.overlays[at].path, Layer::Overlay),
        };
        let Trees { objects, root, limits } = *self.trees;
        // What is below is remembered by folder, and not once more by what is above.
        let objects = Remembering::after(self.known.get(name(place)).cloned(), objects.beneath());
        let files = Trees { objects: &objects, root, limits }.list(self.app, tree, place, kind, found)?;
        self.known.insert(name(place).into(), Arc::new(objects.known()));
        self.listed[layer] = Some(files);
        Ok(())
    }
}

/// The folder that `place` names.
fn name(place: &Place) -> &str {
    place.path.as_ref().map_or("", |path| path.as_str())
}
