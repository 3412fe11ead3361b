//! What an earlier commit is and had, found out by reading it again.

use std::path::Path;

use git2::{Oid, Repository};
use schema::{App, CommitId, Digest, Limits, Region, TreeId};

use super::ancestry::contains;
use crate::compile::{BlobId, Compilation, CompileError, Earlier, GitObjects, Layout, Objects as _, Unlisted, compile};
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

/// Where things lie in the bundle that `earlier` has for a place, if it is there and compiles.
pub(crate) fn layout(
    objects: &Path,
    near: &Compilation,
    earlier: &CommitId,
    (app, region): (&App, &Region),
) -> Result<Option<Layout>, AncestryFault> {
    match Earlier::open(objects, near).and_then(|repository| repository.contents(earlier)) {
        Ok(contents) => Ok(contents.listings.get(&(app.clone(), region.clone())).map(|listing| Layout::of(listing))),
        Err(Unlisted::Gone(_) | Unlisted::Compile(CompileError::Refused(_))) => Ok(None),
        Err(Unlisted::Compile(CompileError::Unreadable(source))) => Err(source.into()),
    }
}

/// The contents of `blobs`.
pub(crate) fn blobs(objects: &Path, blobs: &[BlobId]) -> Result<Vec<Vec<u8>>, AncestryFault> {
    if blobs.is_empty() {
        return Ok(Vec::new());
    }
    let repository = Repository::open(objects)?;
    let objects = GitObjects::of(&repository)?;
    Ok(blobs.iter().map(|blob| objects.read_blob(*blob)).collect::<Result<_, _>>()?)
}
