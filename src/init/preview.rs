//! What the first commit would publish: a repository that holds something unpublishable is better known of now.

use git2::Repository;
use publisher::compile::{GitObjects, compile};
use schema::{Limits, TreeId};

/// What came of compiling the tip with the `driftless.yaml` that is to be committed.
pub(super) enum Preview {
    /// It would be published; one line for each app.
    Fine(Vec<String>),
    /// It would be refused.
    Refused(String),
}

/// Compiles the tip of `branch` as if `yaml` were committed on top of it. Writes nothing: the objects stay in memory.
///
/// # Errors
/// What git says, where the repository cannot be read.
pub(super) fn preview(repository: &Repository, branch: &str, yaml: &str) -> Result<Preview, git2::Error> {
    // A handle of its own, so that its memory is its own too.
    let repository = Repository::open(repository.path())?;
    repository.odb()?.add_new_mempack_backend(1000)?;
    let tip = repository.find_reference(&format!("refs/heads/{branch}"))?.peel_to_tree()?;
    let mut tree = repository.treebuilder(Some(&tip))?;
    tree.insert("driftless.yaml", repository.blob(yaml.as_bytes())?, i32::from(git2::FileMode::Blob))?;
    let tree: TreeId = tree.write()?.to_string().parse().expect("git writes tree ids in lower-case hex");
    let objects = GitObjects::of(&repository)?;
    Ok(match compile(&objects, &tree, &Limits::DEFAULT) {
        Err(refused) => Preview::Refused(refused.to_string()),
        Ok(compilation) => {
            let mut lines: Vec<String> = compilation
                .bundles
                .values()
                .map(|bundle| {
                    format!("{}: {} entries, {} bytes", bundle.app, bundle.summary.entries, bundle.summary.size)
                })
                .collect();
            lines.dedup();
            Preview::Fine(lines)
        }
    })
}
