//! What an earlier commit is, found out by compiling it again.

use std::path::Path;

use git2::{Oid, Repository};
use schema::{App, CommitId, Digest, Limits, TreeId};

use super::ancestry::contains;
use crate::compile::{CompileError, GitObjects, compile};
use crate::publish::{AncestryFault, Origin};

/// Tree and `release_seq` of `earlier`, if it is in the history of `tip` and `app` compiles to the bundle `digest` in some region.
pub(super) fn origin(
    objects: &Path,
    tip: &CommitId,
    earlier: &CommitId,
    app: &App,
    digest: &Digest,
) -> Result<Option<Origin>, AncestryFault> {
    let repository = Repository::open(objects)?;
    if !contains(&repository, tip, earlier)? {
        return Ok(None);
    }
    let commit = Oid::from_str(earlier.as_str())?;
    let tree = repository.find_commit(commit)?.tree_id().to_string();
    let tree: TreeId = tree.parse().expect("git writes ids in lower-case hex");
    let compilation = match compile(&GitObjects::of(&repository)?, &tree, &Limits::DEFAULT) {
        Ok(compilation) => compilation,
        Err(CompileError::Refused(_)) => return Ok(None),
        Err(CompileError::Unreadable(source)) => return Err(source.into()),
    };
    let mut bundles = compilation.bundles.iter();
    if !bundles.any(|((of, _), bundle)| of == app && bundle.summary.digest == *digest) {
        return Ok(None);
    }
    let mut reachable = repository.revwalk()?;
    reachable.push(commit)?;
    let mut release_seq = 0;
    for found in reachable {
        found?;
        release_seq += 1;
    }
    Ok(Some(Origin { tree, release_seq }))
}
