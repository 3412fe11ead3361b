//! The private copy of a remote repository: a bare repository that is thrown away and fetched anew when it is damaged.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use git2::{Repository, RepositoryInitOptions};
use schema::CommitId;

use super::branch::BranchName;
use super::error::SourceError;
use super::local;
use super::repository::RepositoryUrl;

/// The file that tells a mirror from any other folder. It holds the URL.
const MARK: &str = "driftless-mirror";

/// The folder of a mirror, and what it is a mirror of. All calls block.
#[derive(Clone, Debug)]
pub(super) struct Mirror {
    pub(super) folder: PathBuf,
    pub(super) of: RepositoryUrl,
    pub(super) branch: BranchName,
}

impl Mirror {
    /// Sees to it that there is a repository to fetch into.
    pub(super) fn prepare(&self) -> Result<(), SourceError> {
        match fs::read_to_string(self.mark()) {
            Ok(of) if of == self.of.to_string() && local::open(&self.folder).is_ok() => return Ok(()),
            // Of another repository, or it does not open: begun anew below.
            Ok(_) => self.remove()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.insist_on_empty()?,
            Err(error) => return Err(self.fault("read")(error)),
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(self.fault("made"))?;
        // The mark comes first: a crash after it leaves a folder that the next start throws away, not one that it refuses.
        fs::write(self.mark(), self.of.to_string()).map_err(self.fault("made"))?;
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head(&self.branch.reference());
        let made = Repository::init_opts(&self.folder, &options);
        made.map(drop).map_err(|source| SourceError::Open { path: self.folder.clone(), source })
    }

    /// Where the branch was at the last fetch.
    pub(super) fn tip(&self) -> Result<CommitId, SourceError> {
        let repository = local::open(&self.folder)?;
        let tip = local::tip(&repository, &self.branch, &self.of)?;
        let tree = repository.find_reference(&self.branch.reference()).and_then(|branch| branch.peel_to_tree());
        let unreadable = |source| SourceError::Read { branch: self.branch.clone(), path: self.folder.clone(), source };
        tree.map_err(unreadable)?;
        Ok(tip)
    }

    /// Whether a failed fetch may be the mirror's own fault: it does not open, its branch does not read, or a git that was
    /// killed left a lock behind, which would stop every fetch to come.
    pub(super) fn is_damaged(&self) -> bool {
        let unreadable = match self.tip() {
            Ok(_) | Err(SourceError::Empty { .. } | SourceError::NoBranch { .. }) => false,
            Err(_) => true,
        };
        unreadable || has_lock_below(&self.folder.join("refs"))
    }

    /// Removes the mirror, if it is one.
    pub(super) fn remove(&self) -> Result<(), SourceError> {
        if !fs::exists(self.mark()).map_err(self.fault("read"))? {
            return Ok(());
        }
        // The mark goes last, for the same reason that it comes first.
        for entry in fs::read_dir(&self.folder).map_err(self.fault("removed"))? {
            let entry = entry.map_err(self.fault("removed"))?;
            if entry.file_name() != MARK {
                let is_folder = entry.file_type().map_err(self.fault("removed"))?.is_dir();
                let removed = if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
                removed.map_err(self.fault("removed"))?;
            }
        }
        fs::remove_file(self.mark()).map_err(self.fault("removed"))
    }

    fn mark(&self) -> PathBuf {
        self.folder.join(MARK)
    }

    fn insist_on_empty(&self) -> Result<(), SourceError> {
        match fs::read_dir(&self.folder) {
            Ok(mut entries) => match entries.next() {
                Some(_) => Err(SourceError::NotAMirror { path: self.folder.clone() }),
                None => Ok(()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(self.fault("read")(error)),
        }
    }

    fn fault(&self, attempted: &'static str) -> impl Fn(io::Error) -> SourceError {
        let path = self.folder.clone();
        move |source| SourceError::Mirror { path: path.clone(), attempted, source }
    }
}

fn has_lock_below(folder: &Path) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => has_lock_below(&entry.path()),
        _ => entry.path().extension().is_some_and(|extension| extension == "lock"),
    })
}
