//! What a tree's bundles hold, without their bytes: enough to tell two versions of an app apart, file by file.
//!
//! In: a tree, or what was compiled of one. Out: paths, sizes and blobs by app and region, and the policies. Reads no file's
//! content, so it costs little even for a commit that was compiled long ago by somebody else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use schema::path::EntryPath;
use schema::rollout::Policy;
use schema::{App, Limits, Region, TreeId};

use super::bundle::{AppCompiler, Compilation, Layers, read_document};
use super::document::Document;
use super::files::{Files, Trees};
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
/// Blocks: reads trees, and the sizes of files.
///
/// # Errors
/// As [`compile`](super::compile()), except for what only archiving shows.
pub fn contents(objects: &impl Objects, tree: &TreeId, limits: &Limits) -> Result<Contents, CompileError> {
    let mut found = Found::default();
    let trees = Trees { objects, root: tree, limits };
    let document = read_document(&trees, &mut found)?;
    let policies = document.as_ref().map(Document::policies).unwrap_or_default();
    let mut contents = Contents { listings: BTreeMap::new(), policies };
    for (app, source) in document.iter().flat_map(|document| &document.apps) {
        let Some(mut compiler) = AppCompiler::locate(&trees, app, source, &mut found)? else { continue };
        let mut listed: HashMap<Layers, Arc<Listing>> = HashMap::new();
        for region in document.iter().flat_map(|document| &document.regions) {
            let (selected, layers) = compiler.layers(region);
            let listing = match listed.get(&layers) {
                Some(known) => Arc::clone(known),
                None => Arc::new(listing(&compiler.files(&selected, &mut found)?)),
            };
            listed.insert(layers, Arc::clone(&listing));
            contents.listings.insert((app.clone(), region.clone()), listing);
        }
    }
    found.end()?;
    Ok(contents)
}
