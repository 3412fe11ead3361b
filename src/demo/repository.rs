//! The demo's config repository: the example repository, with people who merge, revert and misbehave.
//!
//! Commits and their signatures are made in the program, so that nothing but git's own format is needed.

use std::path::Path;
use std::time::SystemTime;

use git2::{Commit, FileMode, Oid, Repository, Signature};
use include_dir::{Dir, DirEntry, include_dir};
use publisher::committer::Committer;
use schema::{CommitId, Timestamp};

use crate::exit::Failure;

static EXAMPLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/examples-repo");

/// The branch that is published.
pub(super) const BRANCH: &str = "main";
const TOPIC: &str = "topic";

/// A bare repository and somebody who may sign.
pub(super) struct ConfigRepository {
    repository: Repository,
    committer: Committer,
}

/// A commit on the published branch, and when the branch moved to it.
#[derive(Clone, Debug)]
pub(super) struct Pushed {
    pub(super) commit: CommitId,
    pub(super) at: Timestamp,
}

impl ConfigRepository {
    /// Makes a bare repository at `path` whose first commit is the example repository, with another `driftless.yaml` if one is
    /// given.
    pub(super) fn begin(path: &Path, committer: Committer, rules: Option<&str>) -> Result<ConfigRepository, Failure> {
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).initial_head(BRANCH);
        let repository = Repository::init_opts(path, &options).map_err(Failure::unexpected)?;
        let tree = write_tree(&repository, &EXAMPLE).map_err(Failure::unexpected)?;
        let tree = match rules {
            Some(rules) => put(&repository, tree, "driftless.yaml", rules).map_err(Failure::unexpected)?,
            None => tree,
        };
        let begun = ConfigRepository { repository, committer };
        begun.commit(BRANCH, &[], tree, "Begin with three apps in three regions\n")?;
        Ok(begun)
    }

    /// Changes one file on a branch and merges it, both signed, as a pull request would be.
    pub(super) fn merge(&self, file: &str, from: &str, to: &str, title: &str) -> Result<Pushed, Failure> {
        let base = self.tip()?;
        let tree = self.edited(&base, file, from, to).map_err(Failure::unexpected)?;
        self.repository.branch(TOPIC, &base, true).map_err(Failure::unexpected)?;
        let main = commit_id(base.id());
        let topic = self.commit(TOPIC, std::slice::from_ref(&main), tree, &format!("{title}\n"))?;
        let commit = self.commit(BRANCH, &[main, topic], tree, &format!("Merge branch '{TOPIC}'\n\n{title}\n"))?;
        Ok(Pushed { commit, at: Timestamp::from(SystemTime::now()) })
    }

    /// What `git revert -m 1` of the newest merge makes: the tree before it, as a new commit.
    pub(super) fn revert(&self) -> Result<Pushed, Failure> {
        let tip = commit_id(self.tip()?.id());
        self.revert_of(&tip)
    }

    /// What `git revert` of a commit makes, where all that came after it was reverted already: the tree before it.
    pub(super) fn revert_of(&self, commit: &CommitId) -> Result<Pushed, Failure> {
        let tip = self.tip()?;
        let reverted = self.repository.find_commit_by_prefix(&commit.to_string()).map_err(Failure::unexpected)?;
        assert_eq!(reverted.tree_id(), tip.tree_id(), "nothing is left of what came after {commit}");
        let before = reverted.parent(0).map_err(Failure::unexpected)?.tree_id();
        let title = reverted.summary().ok().flatten().unwrap_or_default();
        let message = format!("Revert \"{title}\"\n\nThis reverts commit {commit}.\n");
        let commit = self.commit(BRANCH, &[commit_id(tip.id())], before, &message)?;
        Ok(Pushed { commit, at: Timestamp::from(SystemTime::now()) })
    }

    /// Pushes a change that nobody signed.
    pub(super) fn push_unsigned(&self, file: &str, from: &str, to: &str) -> Result<Pushed, Failure> {
        let tip = self.tip()?;
        let tree = self
            .edited(&tip, file, from, to)
            .and_then(|tree| self.repository.find_tree(tree))
            .map_err(Failure::unexpected)?;
        let nobody = Signature::now("Nobody", "nobody@example.invalid").map_err(Failure::unexpected)?;
        let commit = self.repository.commit(Some(&refname(BRANCH)), &nobody, &nobody, "Trust me\n", &tree, &[&tip]);
        let at = Timestamp::from(SystemTime::now());
        Ok(Pushed { commit: commit_id(commit.map_err(Failure::unexpected)?), at })
    }

    /// Takes the newest commit off the branch, for good.
    pub(super) fn drop_tip(&self) -> Result<(), Failure> {
        let before = self.tip()?.parent_id(0).map_err(Failure::unexpected)?;
        self.repository.reference(&refname(BRANCH), before, true, "drop").map_err(Failure::unexpected)?;
        Ok(())
    }

    fn tip(&self) -> Result<Commit<'_>, Failure> {
        self.repository
            .find_reference(&refname(BRANCH))
            .and_then(|tip| tip.peel_to_commit())
            .map_err(Failure::unexpected)
    }

    fn commit(&self, branch: &str, parents: &[CommitId], tree: Oid, message: &str) -> Result<CommitId, Failure> {
        let now = Timestamp::from(SystemTime::now());
        let tree = tree.to_string().parse().expect("git writes tree ids in lower-case hex");
        self.committer.commit(&self.repository, branch, parents, &tree, message, now).map_err(Failure::unexpected)
    }

    /// The tree of `base` with `from` replaced by `to` in one file.
    fn edited(&self, base: &Commit<'_>, file: &str, from: &str, to: &str) -> Result<Oid, git2::Error> {
        let tree = base.tree()?;
        let blob = self.repository.find_blob(tree.get_path(Path::new(file))?.id())?;
        let text = String::from_utf8_lossy(blob.content());
        assert!(text.contains(from), "{file} of the example repository holds {from:?}");
        put(&self.repository, tree.id(), file, &text.replace(from, to))
    }
}

/// `tree` with one file as given.
fn put(repository: &Repository, tree: Oid, file: &str, text: &str) -> Result<Oid, git2::Error> {
    let blob = repository.blob(text.as_bytes())?;
    let mut update = git2::build::TreeUpdateBuilder::new();
    update.upsert(file, blob, FileMode::Blob).create_updated(repository, &repository.find_tree(tree)?)
}

fn write_tree(repository: &Repository, folder: &Dir<'_>) -> Result<Oid, git2::Error> {
    let mut tree = repository.treebuilder(None)?;
    for entry in folder.entries() {
        let name = entry.path().file_name().expect("an entry has a name");
        match entry {
            DirEntry::Dir(folder) => tree.insert(name, write_tree(repository, folder)?, i32::from(FileMode::Tree))?,
            DirEntry::File(file) => {
                let blob = repository.blob(file.contents())?;
                let mode = if is_hook(file.path()) { FileMode::BlobExecutable } else { FileMode::Blob };
                tree.insert(name, blob, i32::from(mode))?
            }
        };
    }
    tree.write()
}

/// Files that the example repository marks executable; embedding them loses the mark.
fn is_hook(path: &Path) -> bool {
    path.starts_with("hosts/hooks")
}

/// Writes the example's hooks to `folder`, as they would be installed on a host.
pub(super) fn install_hooks(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(folder)?;
    let hooks = EXAMPLE.get_dir("hosts/hooks").expect("the example repository has hooks");
    for hook in hooks.files() {
        let path = folder.join(hook.path().file_name().expect("a hook has a name"));
        std::fs::write(&path, hook.contents())?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn refname(branch: &str) -> String {
    format!("refs/heads/{branch}")
}

fn commit_id(oid: Oid) -> CommitId {
    oid.to_string().parse().expect("git writes commit ids in lower-case hex")
}
