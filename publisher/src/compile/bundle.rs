//! The compiler: reads the document, finds the files of each app and region, and archives each distinct set of them once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use schema::archive::{self, Summary, WriteFault, Writer};
use schema::rollout::Policy;
use schema::{App, Digest, Limits, Region, TreeId};

use super::contents::{self, Listing};
use super::document::{AppSource, DOCUMENT, Document};
use super::files::{self, Files, Layer, Trees};
use super::objects::{Objects, ObjectsError};
use super::problem::{CompileError, Found, Problem};
use super::tree::Node;

/// Number of the way trees are compiled. It changes whenever the same tree would give other bytes.
pub const COMPILER: u32 = 1;

/// One bundle: an app as it is in one or more regions.
#[derive(Debug, PartialEq, Eq)]
pub struct CompiledBundle {
    /// The app.
    pub app: App,
    /// The uncompressed archive.
    pub archive: Bytes,
    /// Digest and measures of the archive.
    pub summary: Summary,
    /// The files in it.
    pub listing: Arc<Listing>,
}

/// All bundles of a tree.
#[derive(Clone, Debug)]
pub struct Compilation {
    /// What each region gets of each app. Regions that get the same share one bundle.
    pub bundles: BTreeMap<(App, Region), Arc<CompiledBundle>>,
    /// How commits of an app reach its agents; an app without a policy is not in it, and its commits are stable at once.
    pub policies: BTreeMap<App, Policy>,
    by_layers: HashMap<Layers, Arc<CompiledBundle>>,
    limits: Limits,
}

/// The trees that a bundle was made of: the app's own first, then what lies over it. They settle its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Layers {
    app: App,
    trees: Vec<TreeId>,
}

/// Compiles all apps of `tree` for all regions.
///
/// Blocks: reads objects and hashes. Holds all archives in memory.
///
/// # Errors
/// [`CompileError::Refused`] lists up to ten problems for the author; [`CompileError::Unreadable`] blames the repository.
pub fn compile(objects: &impl Objects, tree: &TreeId, limits: &Limits) -> Result<Compilation, CompileError> {
    compile_from(None, objects, tree, limits)
}

/// Does what [`compile`] does, faster: apps that did not change since `previous` are taken from there.
///
/// # Errors
/// As [`compile`].
pub fn compile_after(
    previous: &Compilation,
    objects: &impl Objects,
    tree: &TreeId,
    limits: &Limits,
) -> Result<Compilation, CompileError> {
    compile_from(Some(previous).filter(|previous| previous.limits == *limits), objects, tree, limits)
}

/// The policies of `tree`, without compiling anything: those by which whatever follows a commit goes.
///
/// Blocks: reads two objects.
///
/// # Errors
/// As [`compile`], for what is wrong in `driftless.yaml` alone.
pub fn policies(objects: &impl Objects, tree: &TreeId, limits: &Limits) -> Result<BTreeMap<App, Policy>, CompileError> {
    let mut found = Found::default();
    let document = read_document(&Trees { objects, root: tree, limits }, &mut found)?;
    found.end()?;
    Ok(document.as_ref().map(Document::policies).unwrap_or_default())
}

fn compile_from(
    previous: Option<&Compilation>,
    objects: &impl Objects,
    tree: &TreeId,
    limits: &Limits,
) -> Result<Compilation, CompileError> {
    let mut found = Found::default();
    let trees = Trees { objects, root: tree, limits };
    let document = read_document(&trees, &mut found)?;
    let policies = document.as_ref().map(Document::policies).unwrap_or_default();
    let mut compilation =
        Compilation { bundles: BTreeMap::new(), policies, by_layers: HashMap::new(), limits: *limits };
    for (app, source) in document.iter().flat_map(|document| &document.apps) {
        let known = |layers: &Layers| previous.and_then(|previous| previous.by_layers.get(layers)).cloned();
        let Some(mut compiler) = AppCompiler::locate(&trees, app, source, &mut found)? else { continue };
        for region in document.iter().flat_map(|document| &document.regions) {
            if let Some(bundle) = compiler.bundle_for(region, known, &mut found)? {
                compilation.bundles.insert((app.clone(), region.clone()), bundle);
            }
        }
        compilation.by_layers.extend(compiler.by_layers);
    }
    found.end()?;
    Ok(compilation)
}

pub(super) fn read_document(
    trees: &Trees<'_, impl Objects>,
    found: &mut Found,
) -> Result<Option<Document>, ObjectsError> {
    let entries = trees.entries(trees.root, "", found)?;
    let Some(entry) = entries.iter().find(|entry| entry.name == DOCUMENT.as_bytes()) else {
        found.note(Problem::NoDocument);
        return Ok(None);
    };
    let invalid = |wrong: String| schema::yaml::InvalidYaml { file: DOCUMENT.to_owned(), place: None, wrong };
    let Node::File { blob, .. } = entry.node else {
        found.note(invalid("it is not a regular file".to_owned()));
        return Ok(None);
    };
    let size = trees.objects.blob_size(blob)?;
    if size > trees.limits.yaml_max_bytes {
        found.note(invalid(format!("it has {size} bytes, the limit is {}", trees.limits.yaml_max_bytes)));
        return Ok(None);
    }
    match String::from_utf8(trees.objects.read_blob(blob)?) {
        Ok(text) => Ok(Document::parse(&text, trees.limits, found)),
        Err(_) => {
            found.note(invalid("it is not UTF-8".to_owned()));
            Ok(None)
        }
    }
}

/// Compiles one app: knows where its layers are, and lists and archives each only when it must.
pub(super) struct AppCompiler<'c, O> {
    trees: &'c Trees<'c, O>,
    app: &'c App,
    source: &'c AppSource,
    base: TreeId,
    overlays: Vec<TreeId>,
    /// Files of the layers that were listed: the base first, then each overlay.
    listed: Vec<Option<Files>>,
    by_layers: HashMap<Layers, Arc<CompiledBundle>>,
    by_digest: HashMap<Digest, Arc<CompiledBundle>>,
}

impl<'c, O: Objects> AppCompiler<'c, O> {
    pub(super) fn locate(
        trees: &'c Trees<'c, O>,
        app: &'c App,
        source: &'c AppSource,
        found: &mut Found,
    ) -> Result<Option<Self>, ObjectsError> {
        let base = trees.locate(&source.path, found)?;
        let mut overlays = Vec::new();
        for overlay in &source.overlays {
            overlays.extend(trees.locate(&overlay.path, found)?);
        }
        let Some(base) = base.filter(|_| overlays.len() == source.overlays.len()) else { return Ok(None) };
        let listed = vec![None; 1 + overlays.len()];
        let (by_layers, by_digest) = (HashMap::new(), HashMap::new());
        Ok(Some(AppCompiler { trees, app, source, base, overlays, listed, by_layers, by_digest }))
    }

    /// The bundle of one region, or none after a problem was noted.
    fn bundle_for(
        &mut self,
        region: &Region,
        known: impl Fn(&Layers) -> Option<Arc<CompiledBundle>>,
        found: &mut Found,
    ) -> Result<Option<Arc<CompiledBundle>>, CompileError> {
        let (selected, layers) = self.layers(region);
        if let Some(bundle) = self.by_layers.get(&layers) {
            return Ok(Some(Arc::clone(bundle)));
        }
        let bundle = match known(&layers) {
            Some(bundle) => bundle,
            None => {
                let Some(bundle) = self.build(&selected, found)? else { return Ok(None) };
                bundle
            }
        };
        // Overlays that change nothing lead to the same bytes, which are then kept once.
        let bundle = Arc::clone(self.by_digest.entry(bundle.summary.digest).or_insert(bundle));
        self.by_layers.insert(layers, Arc::clone(&bundle));
        Ok(Some(bundle))
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
    pub(super) fn files(&mut self, selected: &[usize], found: &mut Found) -> Result<Files, ObjectsError> {
        self.list(0, found)?;
        for &at in selected {
            self.list(at + 1, found)?;
        }
        let layer = |at: usize| self.listed[at].as_ref().expect("listed just above");
        let overlays = selected.iter().map(|&at| layer(at + 1));
        Ok(files::overlaid(self.app, layer(0), overlays, self.trees.limits, found))
    }

    fn build(&mut self, selected: &[usize], found: &mut Found) -> Result<Option<Arc<CompiledBundle>>, CompileError> {
        let files = self.files(selected, found)?;
        // Archiving is the costly part, and pointless once the tree is refused.
        if !found.is_empty() {
            return Ok(None);
        }
        match archive(self.trees.objects, &files, self.trees.limits)? {
            Ok((archive, summary)) => {
                let listing = Arc::new(contents::listing(&files));
                Ok(Some(Arc::new(CompiledBundle { app: self.app.clone(), archive, summary, listing })))
            }
            Err(fault) => {
                found.note(Problem::App { app: self.app.clone(), wrong: format!("cannot be archived: {fault}") });
                Ok(None)
            }
        }
    }

    fn list(&mut self, layer: usize, found: &mut Found) -> Result<(), ObjectsError> {
        if self.listed[layer].is_none() {
            let (tree, place, kind) = match layer.checked_sub(1) {
                None => (&self.base, &self.source.path, Layer::Base),
                Some(at) => (&self.overlays[at], &self.source.overlays[at].path, Layer::Overlay),
            };
            self.listed[layer] = Some(self.trees.list(self.app, tree, place, kind, found)?);
        }
        Ok(())
    }
}

/// Archives `files`. The inner error is one of the archive format's own rules.
fn archive(
    objects: &impl Objects,
    files: &Files,
    limits: &Limits,
) -> Result<Result<(Bytes, Summary), WriteFault>, ObjectsError> {
    let mut entries: BTreeMap<_, _> = files.iter().map(|(path, file)| (path.clone(), Some(file))).collect();
    entries.extend(archive::directories_of(files.keys()).into_iter().map(|path| (path, None)));
    let mut writer = Writer::new(Vec::new(), *limits);
    for (path, file) in entries {
        let written = match file {
            None => writer.directory(path),
            Some(file) => {
                let content = objects.read_blob(file.blob)?;
                writer.file(path, file.executable, file.size, &mut content.as_slice())
            }
        };
        if let Err(error) = written {
            return Ok(Err(error.wrong));
        }
    }
    Ok(writer.finish().map(|(bytes, summary)| (Bytes::from(bytes), summary)).map_err(|error| error.wrong))
}

#[cfg(test)]
mod tests;
