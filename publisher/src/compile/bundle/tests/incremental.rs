//! Compiling after another tree gives what compiling alone gives: the same bytes, and the same refusals in the same words.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;
use crate::compile::{BlobId, ObjectsError, contents};

/// Files of the repository, by path.
type Files = BTreeMap<String, (Vec<u8>, bool)>;

#[derive(Clone, Debug)]
enum Edit {
    Put(u8, u8, u16, u8),
    Mode(u8, u8),
    Remove(u8, u8),
    Rename(u8, u8, u8),
    /// A name that is like another one but for case.
    Twin(u8, u8),
    /// A file where others have a folder, or the other way round.
    Under(u8, u8),
    Many(u8, u8),
    Document(u8),
    Patch(u8),
}

const FOLDERS: [&str; 5] = ["apps/proxy", "apps/proxy/conf.d", "apps/other", "overlays/eu", "overlays/us/conf.d"];

const DOCUMENTS: [&str; 3] = [
    OVERLAID,
    "regions: { eu-west: { labels: { continent: eu } }, moon: {} }\napps: { proxy: { path: apps/proxy }, other: { path: \
     apps/other, overlays: [ { path: overlays/eu, when: { continent: eu } }, { path: overlays/us, when: {} } ] } }\n",
    "regions: { moon: {} }\napps: { proxy: { path: apps/proxy }, all: { path: . } }\n",
];

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let (folder, name) = (0..FOLDERS.len() as u8, 0..4_u8);
    let edit = prop_oneof![
        10 => (folder.clone(), name.clone(), 1..3_u16, 0..3_u8)
            .prop_map(|(folder, name, size, letter)| Edit::Put(folder, name, size * 290, letter)),
        2 => (folder.clone(), name.clone()).prop_map(|(folder, name)| Edit::Mode(folder, name)),
        3 => (folder.clone(), name.clone()).prop_map(|(folder, name)| Edit::Remove(folder, name)),
        2 => (folder.clone(), folder.clone(), name.clone()).prop_map(|(from, to, name)| Edit::Rename(from, to, name)),
        1 => (folder.clone(), name.clone()).prop_map(|(folder, name)| Edit::Twin(folder, name)),
        1 => (folder.clone(), name).prop_map(|(folder, name)| Edit::Under(folder, name)),
        1 => (folder.clone(), 1..30_u8).prop_map(|(folder, many)| Edit::Many(folder, many)),
        1 => (0..DOCUMENTS.len() as u8).prop_map(Edit::Document),
        1 => folder.prop_map(Edit::Patch),
    ];
    prop::collection::vec(edit, 1..5)
}

fn apply(files: &mut Files, edit: &Edit) {
    let path = |folder: u8, name: u8| format!("{}/file-{name}", FOLDERS[usize::from(folder)]);
    match *edit {
        // Often of the same size, and something else.
        Edit::Put(folder, name, size, letter) => {
            files.insert(path(folder, name), (vec![b'a' + letter; usize::from(size)], false));
        }
        Edit::Mode(folder, name) => {
            if let Some(file) = files.get_mut(&path(folder, name)) {
                file.1 = !file.1;
            }
        }
        Edit::Remove(folder, name) => drop(files.remove(&path(folder, name))),
        Edit::Rename(from, to, name) => {
            if let Some(file) = files.remove(&path(from, name)) {
                files.insert(path(to, name), file);
            }
        }
        // The next edits may take it away again.
        Edit::Twin(folder, name) => {
            let twin = path(folder, name).replace("file", "File");
            if files.remove(&twin).is_none() {
                files.insert(twin, (b"twin".to_vec(), false));
            }
        }
        Edit::Under(folder, name) => {
            let under = format!("{}/under", path(folder, name));
            match files.remove(&under) {
                Some(_) => {}
                None => {
                    files.remove(&path(folder, name));
                    files.insert(under, (b"under".to_vec(), false));
                }
            }
        }
        Edit::Many(folder, many) => {
            let prefix = format!("{}/many/", FOLDERS[usize::from(folder)]);
            let before = files.len();
            files.retain(|path, _| !path.starts_with(&prefix));
            if files.len() == before {
                files.extend((0..many).map(|at| (format!("{prefix}{at}"), (vec![at; 9], false))));
            }
        }
        Edit::Document(which) => {
            files.insert("driftless.yaml".into(), (DOCUMENTS[usize::from(which)].into(), false));
        }
        Edit::Patch(folder) => {
            let path = format!("{}/limits.patch.yaml", FOLDERS[usize::from(folder)]);
            if files.remove(&path).is_none() {
                files.insert(path, (b"{}".to_vec(), false));
            }
        }
    }
}

fn tree_of(repo: &Repo, files: &Files) -> TreeId {
    let mut builder = git2::build::TreeUpdateBuilder::new();
    // A name stands for one thing in a tree, and that is the folder.
    let is_folder = |path: &str| files.keys().any(|other| other.starts_with(&format!("{path}/")));
    for (path, (content, executable)) in files.iter().filter(|(path, _)| !is_folder(path)) {
        let mode = if *executable { git2::FileMode::BlobExecutable } else { git2::FileMode::Blob };
        builder.upsert(path, repo.blob(content), mode);
    }
    let empty = repo.git.find_tree(repo.git.treebuilder(None).unwrap().write().unwrap()).unwrap();
    tree_id(builder.create_updated(&repo.git, &empty).unwrap())
}

/// Objects that count what is read of them.
struct Counting<'o> {
    objects: GitObjects<'o>,
    trees: Mutex<BTreeSet<TreeId>>,
    blobs: Mutex<BTreeSet<BlobId>>,
}

impl<'o> Counting<'o> {
    fn over(repo: &'o Repo) -> Counting<'o> {
        let objects = GitObjects::of(&repo.git).unwrap();
        Counting { objects, trees: Mutex::default(), blobs: Mutex::default() }
    }

    fn read(&self) -> (usize, usize) {
        (self.trees.lock().unwrap().len(), self.blobs.lock().unwrap().len())
    }
}

impl Objects for Counting<'_> {
    fn read_tree(&self, id: &TreeId, max: u64) -> Result<Vec<u8>, ObjectsError> {
        self.trees.lock().unwrap().insert(id.clone());
        self.objects.read_tree(id, max)
    }

    fn blob_size(&self, id: BlobId) -> Result<u64, ObjectsError> {
        self.blobs.lock().unwrap().insert(id);
        self.objects.blob_size(id)
    }

    fn read_blob(&self, id: BlobId) -> Result<Vec<u8>, ObjectsError> {
        self.blobs.lock().unwrap().insert(id);
        self.objects.read_blob(id)
    }
}

#[test]
fn whatever_came_before_the_outcome_is_that_of_compiling_alone() {
    let repo = Repo::new();
    let objects = GitObjects::of(&repo.git).unwrap();
    let limits = Limits { entries_max: 40, bundle_max_bytes: 24 << 10, ..Limits::DEFAULT };
    let (mut compiled, mut not) = (0, 0);
    let mut runner = TestRunner::deterministic();
    for _ in 0..96 {
        let sequence = prop::collection::vec(edits(), 1..8).new_tree(&mut runner).unwrap().current();
        let mut files = Files::new();
        files.insert("driftless.yaml".into(), (OVERLAID.into(), false));
        for folder in 0..FOLDERS.len() as u8 {
            apply(&mut files, &Edit::Put(folder, 1, 100, 0));
        }
        let mut previous: Option<Compilation> = None;
        for edits in &sequence {
            edits.iter().for_each(|edit| apply(&mut files, edit));
            let tree = tree_of(&repo, &files);
            let alone = compile(&objects, &tree, &limits);
            let after = match &previous {
                Some(previous) => compile_after(previous, &objects, &tree, &limits),
                None => compile(&objects, &tree, &limits),
            };
            let listed = contents(previous.as_ref(), &objects, &tree, &limits);
            match (alone, after) {
                (Ok(alone), Ok(after)) => {
                    compiled += 1;
                    assert_eq!((&after.bundles, &after.policies), (&alone.bundles, &alone.policies), "{sequence:?}");
                    for bundle in after.bundles.values() {
                        assert_eq!(bundle.summary.digest, Digest::of(&bundle.archive));
                        assert_eq!(bundle.layout.size(), bundle.summary.size);
                    }
                    let listed = listed.unwrap().listings;
                    assert!(listed.iter().all(|(place, listing)| after.bundles[place].listing == *listing));
                    previous = Some(after);
                }
                (Err(alone), Err(after)) => {
                    not += 1;
                    assert_eq!(refused(Err(after)), refused(Err(alone)), "{sequence:?}");
                }
                (alone, after) => panic!("{:?} is not {:?}: {sequence:?}", after.is_ok(), alone.is_ok()),
            }
        }
    }
    assert!(compiled > 40 && not > 40, "{compiled} compiled, {not} did not");
}

#[test]
fn what_is_read_goes_with_the_change() {
    let repo = Repo::new();
    let mut files = Files::new();
    files.insert(
        "driftless.yaml".into(),
        (OVERLAID.replace("apps:\n", "apps:\n  other: { path: apps/other }\n").into(), false),
    );
    for at in 0..400 {
        files.insert(format!("apps/proxy/{}/{at}", at % 20), (format!("{at}").into(), false));
        files.insert(format!("apps/other/{}/{at}", at % 20), (format!("other {at}").into(), false));
    }
    files.insert("overlays/eu/x".into(), (b"eu".to_vec(), false));
    files.insert("overlays/us/x".into(), (b"us".to_vec(), false));
    let alone = Counting::over(&repo);
    let mut before = compile(&alone, &tree_of(&repo, &files), &Limits::DEFAULT).unwrap();
    let (trees, blobs) = alone.read();
    assert!(trees > 40 && blobs > 800, "{trees} trees, {blobs} blobs");
    // One app, then the other, then the first again: what is known of an app outlives commits that leave it alone.
    for (step, app) in ["proxy", "other", "proxy", "proxy"].into_iter().enumerate() {
        files.insert(format!("apps/{app}/7/7"), (format!("version {step}").into(), false));
        let counting = Counting::over(&repo);
        let after = compile_after(&before, &counting, &tree_of(&repo, &files), &Limits::DEFAULT).unwrap();
        let (trees, blobs) = counting.read();
        assert!(trees <= 4 && blobs <= 2, "step {step}: {trees} trees and {blobs} blobs for one file");
        before = after;
    }
    let counting = Counting::over(&repo);
    compile_after(&before, &counting, &tree_of(&repo, &files), &Limits::DEFAULT).unwrap();
    assert_eq!(counting.read(), (0, 1), "nothing but the document");
}
