//! What a tree's bundles hold, without their bytes: enough to tell two versions of an app apart, file by file.
//!
//! In: a tree, or what was compiled of one. Out: paths, sizes and blobs by app and region, and the policies. Reads no file's
//! content, so it costs little even for a commit that was compiled long ago by somebody else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use schema::path::EntryPath;
use schema::rollout::Policy;
use schema::{App, Limits, Region, TreeId};

use super::app::{AppCompiler, Layers};
use super::bundle::{Compilation, read_document};
use super::document::Document;
use super::files::{Files, Trees};
use super::known::Remembering;
use super::objects::{BlobId, Objects};
use super::problem::{CompileError, Found};

/// What the apps of one tree are in its regions.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The files. Regions that get the same share one listing.
    pub listings: BTreeMap<(App, Region), Arc<Listing>>,
    /// How commits of an app reach its agents; an app without a policy is not in it.
    pub policies: BTreeMap<App, Policy>,
}

/// The files of one bundle, by path in it.
pub type Listing = BTreeMap<EntryPath, Listed>;

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What is in it.
    pub blob: BlobId,
    /// In bytes.
    pub size: u64,
    /// Whether it may be run.
    pub executable: bool,
}

impl Contents {
    /// What was compiled.
    pub fn of(compilation: &Compilation) -> Contents {
        let bundles = compilation.bundles.iter();
        let listings = bundles.map(|(place, bundle)| (place.clone(), Arc::clone(&bundle.listing))).collect();
        Contents { listings, policies: compilation.policies.clone() }
    }
}

pub(super) fn listing(files: &Files) -> Listing {
    let listed = |file: &super::files::File| Listed { blob: file.blob, size: file.size, executable: file.executable };
    files.iter().map(|(path, file)| (path.clone(), listed(file))).collect()
}

/// Lists what [`compile`](super::compile()) would put into the bundles of `tree`.
///
/// Blocks: reads trees, and the sizes of files, but for those that are known from `near`, what was compiled of another tree.
///
/// # Errors
/// As [`compile`](super::compile()), except for what only archiving shows.
pub fn contents(
    near: Option<&Compilation>,
    objects: &impl Objects,
    tree: &TreeId,
    limits: &Limits,
) -> Result<Contents, CompileError> {
    contents_among(near, objects, tree, limits, None)
}

/// Files of which it is asked what they are, by app and region.
pub(crate) type Asked = BTreeMap<(App, Region), BTreeSet<EntryPath>>;

/// As [`contents`]; where something is `asked` for, nothing else is listed, and what is wrong elsewhere is not seen.
pub(super) fn contents_among(
    near: Option<&Compilation>,
    objects: &impl Objects,
    tree: &TreeId,
    limits: &Limits,
    asked: Option<&Asked>,
) -> Result<Contents, CompileError> {
    let mut found = Found::default();
    // What was compiled by other limits may have held what these refuse.
    let near = near.filter(|near| near.limits == *limits);
    let objects = Remembering::after(near.map(|near| Arc::clone(&near.above)), objects);
    let trees = Trees { objects: &objects, root: tree, limits };
    let document = read_document(&trees, &mut found)?;
    let policies = document.as_ref().map(Document::policies).unwrap_or_default();
    let mut contents = Contents { listings: BTreeMap::new(), policies };
    for (app, source) in document.iter().flat_map(|document| &document.apps) {
        let Some(mut compiler) = AppCompiler::locate(&trees, app, source, near, &mut found)? else { continue };
        let mut listed: HashMap<Layers, Arc<Listing>> = HashMap::new();
        for region in document.iter().flat_map(|document| &document.regions) {
            let (selected, layers) = compiler.layers(region);
            let place = (app.clone(), region.clone());
            if let Some(asked) = asked {
                if let Some(paths) = asked.get(&place) {
                    contents.listings.insert(place, Arc::new(compiler.files_at(&selected, paths, &mut found)?));
                }
                continue;
            }
            let known = || near.and_then(|near| near.bundle_of(&layers));
            let listing = match listed.get(&layers) {
                Some(listing) => Arc::clone(listing),
                None => match known() {
                    Some(bundle) => Arc::clone(&bundle.listing),
                    None => Arc::new(compiler.listing(&selected, &mut found)?),
                },
            };
            listed.insert(layers, Arc::clone(&listing));
            contents.listings.insert(place, listing);
        }
    }
    found.end()?;
    Ok(contents)
}
