//! Finds what a commit changes outside the files that its signer may change.
//!
//! In: trees as raw objects, and the paths that are allowed. Out: the first path that is changed and not allowed. A file is
//! changed where it is not what every parent has. In a merge, a parent that has left a file as it was at the one common
//! ancestor has no say in it, so the other parent's version is no change; but taking an older version than a parent has
//! is one, even though some parent has it too, and so is anything that no parent has. Where there is no single common ancestor, or there are more than two
//! parents, all parents must agree.

use std::collections::BTreeSet;

use schema::{CommitId, TreeId};

use super::merge_base::merge_base;
use super::object::CommitObject;
use super::tree::{Node, Nodes};
use super::walk::{Commits, WalkError};
use crate::signers::{AllowedPaths, Coverage};

/// The most names that are compared for one commit.
const NAMES_MAX: usize = 1_000_000;

/// The most folders in one another.
const DEPTH_MAX: usize = 64;

/// What a commit changes, compared with what its signer may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Changes {
    Allowed,
    /// The first path, by name, that may not be changed, escaped.
    Outside(String),
    /// More than can be compared, or trees that are none.
    Untold,
}

/// Compares what `commit` changes with `allowed`.
pub(super) fn compare(
    commits: &Commits<'_>,
    id: &CommitId,
    commit: &CommitObject,
    allowed: &AllowedPaths,
) -> Result<Changes, WalkError> {
    if *allowed == AllowedPaths::Everything {
        return Ok(Changes::Allowed);
    }
    let root = |tree: &TreeId| {
        let id =
            git2::Oid::from_str(tree.as_str()).map_err(|source| WalkError::Unreadable { id: id.clone(), source })?;
        Ok::<_, WalkError>(Some(Node::directory(id)))
    };
    let root_of = |commit: &CommitId| root(&commits.read(commit)?.tree);
    let base = match &commit.parents[..] {
        [one, other] => merge_base(commits, one, other)?.as_ref().map(root_of).transpose()?,
        _ => None,
    };
    let parents = match &commit.parents[..] {
        [] => vec![None],
        parents => parents.iter().map(root_of).collect::<Result<_, _>>()?,
    };
    let whole = Versions { mine: root(&commit.tree)?, parents, base };
    let mut comparison = Comparison { commits, id, allowed, names: 0, path: Vec::new() };
    Ok(match comparison.first_outside(&whole, 0) {
        Ok(None) => Changes::Allowed,
        Ok(Some(path)) => Changes::Outside(String::from_utf8_lossy(&path).escape_debug().to_string()),
        Err(Stop::Untold) => Changes::Untold,
        Err(Stop::Walk(error)) => return Err(error),
    })
}

/// One name in the commit, in each parent, and in their common ancestor, if there is just one.
struct Versions {
    mine: Option<Node>,
    parents: Vec<Option<Node>>,
    base: Option<Option<Node>>,
}

impl Versions {
    /// Whether some parent has what the commit has, and every other one has that, too, or what both parents began with.
    fn are_untouched(&self) -> bool {
        let has_mine = |parent: &Option<Node>| *parent == self.mine;
        self.parents.iter().any(has_mine)
            && self.parents.iter().all(|parent| has_mine(parent) || self.base == Some(*parent))
    }

    fn map(&self, one: impl Fn(&Option<Node>) -> Option<Node>) -> Versions {
        Versions {
            mine: one(&self.mine),
            parents: self.parents.iter().map(&one).collect(),
            base: self.base.as_ref().map(one),
        }
    }
}

enum Stop {
    Untold,
    Walk(WalkError),
}

struct Comparison<'c, 'r> {
    commits: &'c Commits<'r>,
    id: &'c CommitId,
    allowed: &'c AllowedPaths,
    names: usize,
    path: Vec<u8>,
}

impl Comparison<'_, '_> {
    fn first_outside(&mut self, folder: &Versions, depth: usize) -> Result<Option<Vec<u8>>, Stop> {
        if folder.are_untouched() {
            return Ok(None);
        }
        if depth > DEPTH_MAX {
            return Err(Stop::Untold);
        }
        let mine = self.nodes(folder.mine)?;
        let parents = folder.parents.iter().map(|parent| self.nodes(*parent)).collect::<Result<Vec<_>, _>>()?;
        let base = folder.base.map(|base| self.nodes(base)).transpose()?;
        let names: BTreeSet<&[u8]> = parents.iter().chain([&mine]).flat_map(Nodes::keys).map(Vec::as_slice).collect();
        for name in names {
            let versions = Versions {
                mine: mine.get(name).copied(),
                parents: parents.iter().map(|parent| parent.get(name).copied()).collect(),
                base: base.as_ref().map(|base| base.get(name).copied()),
            };
            let outer = self.path.len();
            self.path.extend(std::iter::once(&b'/').filter(|_| outer > 0).chain(name));
            let outside = self.name_outside(&versions, depth)?;
            self.path.truncate(outer);
            if outside.is_some() {
                return Ok(outside);
            }
        }
        Ok(None)
    }

    /// The same for the name at the present path, which may be a file here and a folder there.
    fn name_outside(&mut self, versions: &Versions, depth: usize) -> Result<Option<Vec<u8>>, Stop> {
        let files = versions.map(|node| node.filter(|node| !node.is_directory()));
        if !files.are_untouched() && !self.allowed.admit(&self.path) {
            return Ok(Some(self.path.clone()));
        }
        if self.allowed.coverage(&self.path) == Coverage::Whole {
            return Ok(None);
        }
        self.first_outside(&versions.map(|node| node.filter(|node| node.is_directory())), depth + 1)
    }

    fn nodes(&mut self, folder: Option<Node>) -> Result<Nodes, Stop> {
        let Some(folder) = folder else { return Ok(Nodes::new()) };
        let nodes = self.commits.tree(self.id, folder.id).map_err(Stop::Walk)?.ok_or(Stop::Untold)?;
        self.names += nodes.len();
        if self.names > NAMES_MAX { Err(Stop::Untold) } else { Ok(nodes) }
    }
}

#[cfg(test)]
mod tests;
