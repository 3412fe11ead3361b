//! From trees to the files of one bundle: finds directories, lists what is below them, lays layers over one another.
//!
//! In: tree ids and [`Objects`]. Out: paths inside the bundle and the blobs to put there. What cannot be distributed is noted
//! with its full path in the repository; it is never left out silently.

use std::collections::{BTreeMap, HashMap, HashSet};

use schema::path::EntryPath;
use schema::yaml::InvalidYaml;
use schema::{App, Limits, TreeId};

use super::contents::Listed;
use super::document::{DOCUMENT, Place};
use super::objects::{BlobId, Objects, ObjectsError};
use super::problem::{Found, PathProblem, Problem};
use super::tree::{self, Entry, Node};

/// The largest file that is distributed, in bytes.
pub(super) const FILE_MAX_BYTES: u64 = 64 << 20;

/// The largest tree object that is read, in bytes: more names than any bundle may have entries.
const TREE_MAX_BYTES: u64 = 32 << 20;

/// A file as it will be in the bundle.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) blob: BlobId,
    pub(super) executable: bool,
    pub(super) size: u64,
    /// Its full path in the repository, for messages.
    origin: String,
}

/// The files of a layer or a bundle, by path inside the bundle.
pub(super) type Files = BTreeMap<EntryPath, File>;

/// Which rules a layer is under.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// An app's own files.
    Base,
    /// Files laid over them.
    Overlay,
}

/// Reads one repository's trees for one compilation.
pub(super) struct Trees<'c, O> {
    pub(super) objects: &'c O,
    pub(super) root: &'c TreeId,
    pub(super) limits: &'c Limits,
}

impl<O: Objects> Trees<'_, O> {
    /// Entries of a tree, noting what no tree may have.
    pub(super) fn entries(&self, id: &TreeId, at: &str, found: &mut Found) -> Result<Vec<Entry>, ObjectsError> {
        let raw = self.objects.read_tree(id, TREE_MAX_BYTES)?;
        let Ok(entries) = tree::parse(&raw) else {
            found.note(Problem::Path { path: at.to_owned(), wrong: PathProblem::NotATree });
            return Ok(Vec::new());
        };
        let mut names = HashSet::new();
        for entry in &entries {
            if !names.insert(&entry.name) {
                found.note(Problem::Path { path: join(at, &entry.name), wrong: PathProblem::Twice });
            }
        }
        Ok(entries)
    }

    /// The tree that `place` names, or a note of what is there instead.
    pub(super) fn locate(&self, place: &Place, found: &mut Found) -> Result<Option<TreeId>, ObjectsError> {
        let mut id = self.root.clone();
        let mut above = String::new();
        let components = place.path.as_ref().map_or("", EntryPath::as_str).split('/').filter(|name| !name.is_empty());
        for name in components {
            let entries = self.entries(&id, &above, found)?;
            let node = entries.iter().find(|entry| entry.name == name.as_bytes()).map(|entry| &entry.node);
            let path = join(&above, name.as_bytes());
            let Some(Node::Directory(child)) = node else {
                found.note(InvalidYaml::at(DOCUMENT, place.named_at, instead(&path, &above, node, &entries)));
                return Ok(None);
            };
            (id, above) = (child.clone(), path);
        }
        Ok(Some(id))
    }

    /// All files below the tree `top`, which is at `place`.
    pub(super) fn list(
        &self,
        app: &App,
        top: &TreeId,
        place: &Place,
        layer: Layer,
        found: &mut Found,
    ) -> Result<Files, ObjectsError> {
        let prefix = place.path.as_ref().map_or("", EntryPath::as_str);
        let mut files = Files::new();
        let mut visited = 0;
        let mut to_visit = vec![(top.clone(), Vec::new())];
        while let Some((id, inside)) = to_visit.pop() {
            for entry in self.entries(&id, &join(prefix, &inside), found)? {
                visited += 1;
                // Counts empty directories too, so that trees folded into one another end here.
                if visited > self.limits.entries_max {
                    found.note(too_many(app, self.limits));
                    return Ok(files);
                }
                let mut path = inside.clone();
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(&entry.name);
                let origin = join(prefix, &path);
                match self.admit(&entry, &path, layer) {
                    Ok(entry_path) => match entry.node {
                        Node::Directory(child) => to_visit.push((child, path)),
                        Node::File { blob, executable } => {
                            let size = self.objects.blob_size(blob)?;
                            if size > FILE_MAX_BYTES {
                                let wrong = PathProblem::TooLarge { size, max: FILE_MAX_BYTES };
                                found.note(Problem::Path { path: origin, wrong });
                            } else {
                                files.insert(entry_path, File { blob, executable, size, origin });
                            }
                        }
                        Node::Symlink | Node::Submodule | Node::Other { .. } => unreachable!("refused by `admit`"),
                    },
                    Err(wrong) => found.note(Problem::Path { path: origin, wrong }),
                }
            }
        }
        Ok(files)
    }

    /// The file at `path` below the tree `top`, if there is one.
    pub(super) fn file_at(
        &self,
        top: &TreeId,
        path: &EntryPath,
        found: &mut Found,
    ) -> Result<Option<Listed>, ObjectsError> {
        let mut id = top.clone();
        let mut names = path.as_str().split('/').peekable();
        while let Some(name) = names.next() {
            let entries = self.entries(&id, "", found)?;
            let node = entries.into_iter().find(|entry| entry.name == name.as_bytes()).map(|entry| entry.node);
            match node {
                Some(Node::Directory(child)) if names.peek().is_some() => id = child,
                Some(Node::File { blob, executable }) if names.peek().is_none() => {
                    let size = self.objects.blob_size(blob)?;
                    return Ok(Some(Listed { blob, size, executable }));
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    fn admit(&self, entry: &Entry, path: &[u8], layer: Layer) -> Result<EntryPath, PathProblem> {
        if entry.name.contains(&b'/') {
            return Err(PathProblem::Slash);
        }
        match entry.node {
            Node::Symlink => return Err(PathProblem::Symlink),
            Node::Submodule => return Err(PathProblem::Submodule),
            Node::Other { mode } => return Err(PathProblem::Mode { mode }),
            Node::Directory(_) | Node::File { .. } => {}
        }
        let path = EntryPath::parse(path, self.limits).map_err(|invalid| PathProblem::Name(invalid.wrong))?;
        let patch = [".patch.yaml", ".patch.yml", ".patch.json"].iter().any(|end| path.file_name().ends_with(end));
        if layer == Layer::Overlay && patch && matches!(entry.node, Node::File { .. }) {
            return Err(PathProblem::Patch);
        }
        Ok(path)
    }
}

/// Lays each of `overlays` over `base`, and notes what then cannot be one bundle of `app`.
pub(super) fn overlaid<'f>(
    app: &App,
    base: &'f Files,
    overlays: impl Iterator<Item = &'f Files>,
    limits: &Limits,
    found: &mut Found,
) -> Files {
    let mut files = base.clone();
    for overlay in overlays {
        files.extend(overlay.iter().map(|(path, file)| (path.clone(), file.clone())));
    }
    check_shape(&files, found);
    let directories = schema::archive::directories_of(files.keys()).len();
    if (files.len() + directories) as u64 > limits.entries_max {
        found.note(too_many(app, limits));
    }
    let size: u64 = files.values().map(|file| file.size).sum();
    if size > limits.bundle_max_bytes {
        let wrong =
            format!("has {size} bytes of files, the limit is {}; split it into several apps", limits.bundle_max_bytes);
        found.note(Problem::App { app: app.clone(), wrong });
    }
    if files.is_empty() {
        let wrong = "has no files, and an empty configuration is never published; add one or remove the app".to_owned();
        found.note(Problem::App { app: app.clone(), wrong });
    }
    files
}

/// Notes files where directories are, and names that differ by case alone.
fn check_shape(files: &Files, found: &mut Found) {
    // Each directory with its full path in the repository.
    let mut directories: BTreeMap<EntryPath, &str> = BTreeMap::new();
    for (path, file) in files {
        for directory in path.ancestors() {
            let below = path.as_str().len() - directory.as_str().len();
            directories.entry(directory).or_insert(&file.origin[..file.origin.len() - below]);
        }
    }
    for (path, origin) in &directories {
        if let Some(file) = files.get(path) {
            let wrong = PathProblem::FileOverDirectory { other: (*origin).to_owned() };
            found.note(Problem::Path { path: file.origin.clone(), wrong });
        }
    }
    let mut folded: HashMap<String, (&EntryPath, &str)> = HashMap::new();
    let all = files
        .iter()
        .map(|(path, file)| (path, file.origin.as_str()))
        .chain(directories.iter().map(|(path, origin)| (path, *origin)));
    for (path, origin) in all {
        // What is below twin directories is no news.
        if let Some((other, other_origin)) = folded.insert(path.case_folded(), (path, origin))
            && other.file_name() != path.file_name()
        {
            let wrong = PathProblem::CaseTwin { other: other_origin.to_owned() };
            found.note(Problem::Path { path: origin.to_owned(), wrong });
        }
    }
}

fn too_many(app: &App, limits: &Limits) -> Problem {
    let wrong = format!("has more than {} files and directories; split it into several apps", limits.entries_max);
    Problem::App { app: app.clone(), wrong }
}

/// Says what is at `path`, or beside it, when it is not the directory that was named.
fn instead(path: &str, above: &str, node: Option<&Node>, entries: &[Entry]) -> String {
    let what = match node {
        None => {
            let names: Vec<String> = entries
                .iter()
                .filter(|entry| matches!(entry.node, Node::Directory(_)))
                .map(|entry| format!("`{}`", String::from_utf8_lossy(&entry.name).escape_debug()))
                .collect();
            let shown = names.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if names.len() > 10 { format!(" and {} more", names.len() - 10) } else { String::new() };
            let above = if above.is_empty() { "the top of the repository" } else { &format!("`{above}`") };
            return match names.len() {
                0 => format!("`{path}` does not exist: {above} has no directories"),
                _ => format!("`{path}` does not exist: {above} has the directories {shown}{more}"),
            };
        }
        Some(Node::File { .. }) => "a file; name the directory it is in",
        Some(Node::Symlink) => "a symbolic link; name the directory that it points to",
        Some(Node::Submodule) => "a submodule; commit the files themselves",
        Some(Node::Directory(_) | Node::Other { .. }) => "not a directory",
    };
    format!("`{path}` is {what}")
}

fn join(above: &str, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    match (above.is_empty(), name.is_empty()) {
        (true, _) => name.into_owned(),
        (_, true) => above.to_owned(),
        _ => format!("{above}/{name}"),
    }
}
