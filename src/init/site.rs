//! The repository that was there, or is made.

use std::path::{Path, PathBuf};

use git2::{Repository, RepositoryInitOptions};
use schema::CommitId;

use crate::exit::Failure;

/// A git repository, and whether it is ours to fill.
pub(super) struct Site {
    pub(super) repository: Repository,
    /// Its work tree, or the repository itself where it is bare.
    pub(super) folder: PathBuf,
    /// Whether it holds nothing yet: no commit, no file.
    pub(super) is_new: bool,
}

impl Site {
    /// Opens the repository at `path`, or makes one in a new or empty folder.
    pub(super) fn find(path: &Path) -> Result<Site, Failure> {
        let repository = match Repository::open(path) {
            Ok(repository) => repository,
            Err(_) if is_empty(path) => make(path)?,
            Err(error) => {
                let hint =
                    "name a git repository, or a new or empty folder; `git init` turns this one into a repository";
                let wrong = format!("{} is not a git repository: {}", path.display(), error.message());
                return Err(Failure::usage(wrong).hint(hint));
            }
        };
        let has_no_branch = repository.references().is_ok_and(|mut references| references.next().is_none());
        let is_new = has_no_branch && repository.workdir().is_none_or(is_empty);
        let folder = repository.workdir().unwrap_or_else(|| repository.path());
        let folder = folder.canonicalize().map_err(Failure::unexpected)?;
        Ok(Site { repository, folder, is_new })
    }

    /// The branch that HEAD names, whether or not it has a commit yet.
    pub(super) fn current_branch(&self) -> String {
        let head = self.repository.find_reference("HEAD").ok();
        let name = head.and_then(|head| head.symbolic_target().ok().flatten().map(str::to_owned));
        name.and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned)).unwrap_or_else(|| "main".to_owned())
    }

    /// Whether HEAD holds `file`.
    pub(super) fn has_committed(&self, file: &str) -> bool {
        let tree = self.repository.head().and_then(|head| head.peel_to_tree());
        tree.is_ok_and(|tree| tree.get_name(file).is_some())
    }

    /// The newest commit of `branch`, if it has one.
    pub(super) fn tip_of(&self, branch: &str) -> Option<CommitId> {
        let reference = self.repository.find_reference(&format!("refs/heads/{branch}")).ok()?;
        reference.peel_to_commit().ok()?.id().to_string().parse().ok()
    }
}

/// Whether nothing is there, git's own folder aside.
fn is_empty(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == ".git")),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn make(path: &Path) -> Result<Repository, Failure> {
    let mut options = RepositoryInitOptions::new();
    options.mkpath(true).initial_head("main");
    Repository::init_opts(path, &options).map_err(Failure::unexpected)
}
