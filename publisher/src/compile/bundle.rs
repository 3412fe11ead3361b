//! The compiler: reads the document, finds the files of each app and region, and archives each distinct set of them once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use schema::archive::Summary;
use schema::rollout::Policy;
use schema::{App, Digest, Limits, Region, TreeId};

use super::app::{AppCompiler, Layers};
use super::archive::{archive, check};
use super::contents::Listing;
use super::document::{DOCUMENT, Document};
use super::files::Trees;
use super::known::{Known, Remembering};
use super::layout::Layout;
use super::marks::Marks;
use super::objects::{Objects, ObjectsError};
use super::problem::{CompileError, Found, Problem};
use super::tree::Node;
use crate::side_by_side::side_by_side;

/// Number of the way trees are compiled. It changes whenever the same tree would give other bytes.
pub const COMPILER: u32 = 1;

/// One bundle: an app as it is in one or more regions.
#[derive(Debug)]
pub struct CompiledBundle {
    /// The app.
    pub app: App,
    /// The uncompressed archive.
    pub archive: Bytes,
    /// Digest and measures of the archive.
    pub summary: Summary,
    /// The files in it.
    pub listing: Arc<Listing>,
    /// Where they lie in the archive.
    pub layout: Arc<Layout>,
    /// How far its digest was on the way.
    pub(super) marks: Marks,
}

// What the digest was made from is the archive, which is compared.
impl PartialEq for CompiledBundle {
    fn eq(&self, other: &CompiledBundle) -> bool {
        let Self { app, archive, summary, listing, layout, marks: _ } = self;
        (app, archive, summary, listing, layout)
            == (&other.app, &other.archive, &other.summary, &other.listing, &other.layout)
    }
}

impl Eq for CompiledBundle {}

/// All bundles of a tree.
#[derive(Clone, Debug)]
pub struct Compilation {
    /// What each region gets of each app. Regions that get the same share one bundle.
    pub bundles: BTreeMap<(App, Region), Arc<CompiledBundle>>,
    /// How commits of an app reach its agents; an app without a policy is not in it, and its commits are stable at once.
    pub policies: BTreeMap<App, Policy>,
    by_layers: HashMap<Layers, Arc<CompiledBundle>>,
    /// What was read to find the apps.
    pub(super) above: Arc<Known>,
    /// What was read of each folder that apps are made of, by its path.
    pub(super) below: HashMap<Box<str>, Arc<Known>>,
    pub(super) limits: Limits,
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

/// Does what [`compile`] does, faster: what did not change since `previous` is taken from there, be it an app, a folder or a
/// file.
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

impl Compilation {
    /// The bundle that is made of these trees, if it is one of them.
    pub(super) fn bundle_of(&self, layers: &Layers) -> Option<&Arc<CompiledBundle>> {
        self.by_layers.get(layers)
    }
}

/// What is known of a bundle before anything is archived.
enum Draft {
    /// All of it.
    Known(Arc<CompiledBundle>),
    /// What is to be in it.
    New { listing: Arc<Listing>, layout: Arc<Layout>, before: Option<Arc<CompiledBundle>> },
}

fn compile_from(
    previous: Option<&Compilation>,
    objects: &impl Objects,
    tree: &TreeId,
    limits: &Limits,
) -> Result<Compilation, CompileError> {
    let mut found = Found::default();
    let objects = Remembering::after(previous.map(|previous| Arc::clone(&previous.above)), objects);
    let trees = Trees { objects: &objects, root: tree, limits };
    let document = read_document(&trees, &mut found)?;
    let policies = document.as_ref().map(Document::policies).unwrap_or_default();
    let mut drafts = Drafts::default();
    let mut below = HashMap::new();
    for (app, source) in document.iter().flat_map(|document| &document.apps) {
        let compiler = AppCompiler::locate(&trees, app, source, previous, &mut found)?;
        let Some(mut compiler) = compiler else { continue };
        for region in document.iter().flat_map(|document| &document.regions) {
            drafts.add(&mut compiler, region, previous, limits, &mut found)?;
        }
        below.extend(compiler.known());
    }
    found.end()?;
    let by_layers = drafts.archived(trees.objects)?;
    let bundles = drafts.wanted.into_iter().map(|(place, layers)| (place, Arc::clone(&by_layers[&layers]))).collect();
    Ok(Compilation { bundles, policies, by_layers, above: Arc::new(objects.known()), below, limits: *limits })
}

/// The bundles of a compilation, each once, and who is to get which.
#[derive(Default)]
struct Drafts {
    wanted: BTreeMap<(App, Region), Layers>,
    drafts: BTreeMap<Layers, Draft>,
}

impl Drafts {
    /// Adds what `region` gets, or notes what is wrong with it.
    fn add(
        &mut self,
        compiler: &mut AppCompiler<'_, impl Objects>,
        region: &Region,
        previous: Option<&Compilation>,
        limits: &Limits,
        found: &mut Found,
    ) -> Result<(), ObjectsError> {
        let (selected, layers) = compiler.layers(region);
        let place = (layers.app().clone(), region.clone());
        if !self.drafts.contains_key(&layers) {
            let known = previous.and_then(|previous| previous.bundle_of(&layers));
            let draft = match known {
                Some(bundle) => Draft::Known(Arc::clone(bundle)),
                None => {
                    let listing = compiler.listing(&selected, found)?;
                    // Once the tree is refused, nothing comes of it.
                    if !found.is_empty() {
                        return Ok(());
                    }
                    let layout = Layout::of(&listing);
                    if let Err(fault) = check(&layout, limits) {
                        let wrong = format!("cannot be archived: {fault}");
                        found.note(Problem::App { app: place.0, wrong });
                        return Ok(());
                    }
                    let before = previous.and_then(|previous| previous.bundles.get(&place)).cloned();
                    Draft::New { layout: Arc::new(layout), listing: Arc::new(listing), before }
                }
            };
            self.drafts.insert(layers.clone(), draft);
        }
        self.wanted.insert(place, layers);
        Ok(())
    }

    /// Archives what is new, side by side.
    fn archived(&self, objects: &impl Objects) -> Result<HashMap<Layers, Arc<CompiledBundle>>, ObjectsError> {
        let drafts: Vec<(&Layers, &Draft)> = self.drafts.iter().collect();
        let archived = side_by_side(&drafts, |(layers, draft)| match draft {
            Draft::Known(bundle) => Ok::<_, ObjectsError>(Arc::clone(bundle)),
            Draft::New { listing, layout, before } => {
                let (archive, summary, marks) = archive(objects, layout, before.as_deref())?;
                let (app, listing, layout) = (layers.app().clone(), Arc::clone(listing), Arc::clone(layout));
                Ok(Arc::new(CompiledBundle { app, archive, summary, listing, layout, marks }))
            }
        });
        let mut by_digest: HashMap<(&App, Digest), Arc<CompiledBundle>> = HashMap::new();
        let mut by_layers = HashMap::new();
        for ((layers, _), archived) in drafts.into_iter().zip(archived) {
            let bundle = archived?;
            // Overlays that change nothing lead to the same bytes, which are then kept once.
            let bundle = by_digest.entry((layers.app(), bundle.summary.digest)).or_insert(bundle);
            by_layers.insert(layers.clone(), Arc::clone(bundle));
        }
        Ok(by_layers)
    }
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

#[cfg(test)]
mod tests;
