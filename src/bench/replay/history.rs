//! Commits of a repository, oldest first, and their files without those that cannot be distributed.
//!
//! In: a repository that is only read. Out: trees in another one. What was copied once is not copied again.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use git2::{ObjectType, Oid, Repository, Tree};
use schema::Limits;
use schema::path::EntryPath;
use serde::Serialize;

use crate::exit::Failure;

/// Where commits are read from.
pub(super) struct History {
    source: Repository,
    path: Option<String>,
    commits: Vec<Oid>,
    copied: HashMap<Oid, (Option<Oid>, LeftOut)>,
}

/// A commit's files in the other repository.
pub(super) struct Copied {
    /// None where there are no files.
    pub(super) tree: Option<Oid>,
    pub(super) left_out: LeftOut,
}

/// Files that were left out, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct LeftOut {
    pub(super) symlinks: u64,
    pub(super) submodules: u64,
    pub(super) too_large: u64,
    /// Names that a bundle cannot hold, or that differ by case alone.
    pub(super) names: u64,
}

impl History {
    /// The last `count` commits along first parents from `HEAD`, and the one before them, to begin with.
    pub(super) fn open(repository: &Path, count: usize, path: Option<&str>) -> Result<History, Failure> {
        let named = |error: git2::Error| Failure::usage(format!("{}: {}", repository.display(), error.message()));
        let source = Repository::open(repository).map_err(named)?;
        let mut commits = Vec::new();
        let mut next = Some(source.head().and_then(|head| head.peel_to_commit()).map_err(named)?);
        while let Some(commit) = next.filter(|_| commits.len() <= count) {
            commits.push(commit.id());
            // A shallow clone names parents that it does not have.
            next = commit.parent(0).ok();
        }
        commits.reverse();
        Ok(History { path: path.map(str::to_owned), commits, copied: HashMap::new(), source })
    }

    pub(super) fn commits(&self) -> Vec<Oid> {
        self.commits.clone()
    }

    /// Copies the files of a commit.
    pub(super) fn copy(&mut self, commit: Oid, into: &Repository) -> Result<Copied, Failure> {
        let tree = self.source.find_commit(commit).and_then(|commit| commit.tree()).map_err(Failure::unexpected)?;
        let tree = match &self.path {
            None => Some(tree.id()),
            // The folder may be younger than the commit.
            Some(path) => tree.get_path(Path::new(path)).ok().map(|entry| entry.id()),
        };
        let Some(tree) = tree else { return Ok(Copied { tree: None, left_out: LeftOut::default() }) };
        let copy = copy(&self.source, tree, into, &mut self.copied);
        let (tree, left_out) = copy.map_err(Failure::unexpected)?;
        Ok(Copied { tree, left_out })
    }
}

type Cache = HashMap<Oid, (Option<Oid>, LeftOut)>;

fn copy(
    from: &Repository,
    id: Oid,
    into: &Repository,
    cache: &mut Cache,
) -> Result<(Option<Oid>, LeftOut), git2::Error> {
    if let Some(known) = cache.get(&id) {
        return Ok(*known);
    }
    let tree: Tree<'_> = from.find_tree(id)?;
    let mut builder = into.treebuilder(None)?;
    let (mut left_out, mut folded) = (LeftOut::default(), BTreeSet::new());
    for entry in &tree {
        let name = entry.name_bytes();
        let fits = EntryPath::parse(name, &Limits::DEFAULT).is_ok_and(|path| folded.insert(path.case_folded()));
        let mode = entry.filemode();
        match (entry.kind(), mode) {
            (_, SYMLINK) => left_out.symlinks += 1,
            (Some(ObjectType::Commit), _) => left_out.submodules += 1,
            _ if !fits => left_out.names += 1,
            (Some(ObjectType::Tree), _) => {
                let (below, without) = copy(from, entry.id(), into, cache)?;
                left_out.add(without);
                if let Some(below) = below {
                    builder.insert(name, below, mode)?;
                }
            }
            _ => {
                let blob = from.find_blob(entry.id())?;
                if blob.size() as u64 > FILE_MAX_BYTES {
                    left_out.too_large += 1;
                    continue;
                }
                let executable = mode & 0o111 != 0;
                builder.insert(name, into.blob(blob.content())?, if executable { 0o100_755 } else { 0o100_644 })?;
            }
        }
    }
    let written = if builder.is_empty() { None } else { Some(builder.write()?) };
    cache.insert(id, (written, left_out));
    Ok((written, left_out))
}

impl LeftOut {
    fn add(&mut self, other: LeftOut) {
        self.symlinks += other.symlinks;
        self.submodules += other.submodules;
        self.too_large += other.too_large;
        self.names += other.names;
    }

    /// All of them.
    pub(super) fn sum(&self) -> u64 {
        self.symlinks + self.submodules + self.too_large + self.names
    }
}

/// The mode of a symbolic link.
const SYMLINK: i32 = 0o120_000;
/// Larger files are refused when they are compiled.
const FILE_MAX_BYTES: u64 = 64 << 20;
