//! The folder that belongs to one agent, and the folder of each app in it.
//!
//! ```text
//! <state>/lock                                   held by the running agent
//! <state>/root                                   the newest trust root that was walked to
//! <state>/identity.key                           the key that signs acks; its owner's alone
//! <state>/metrics.prom                           what the agent counts, for others to read; may be lost
//! <state>/apps/<app>/current -> versions/<digest>   what applications read; switched by one rename
//! <state>/apps/<app>/versions/<digest>/          read-only trees
//! <state>/apps/<app>/stage/                      what is being fetched and unpacked; emptied at start
//! <state>/apps/<app>/journal                     see [`crate::journal`]
//! <state>/apps/<app>/scrub                       what the last scrub found; only for people, and may be lost
//! ```
//!
//! Everything here blocks.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use schema::{App, Digest};

use crate::disk;

/// A state folder that is this process's until the value is dropped.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    /// Closing the file gives up the lock.
    _lock: File,
}

impl StateFolder {
    /// Makes the folder where it is missing and takes it.
    ///
    /// # Errors
    /// [`LockError::Taken`] while another agent has it; [`LockError::Unusable`] where it cannot be made or written.
    pub fn lock(path: &Path) -> Result<StateFolder, LockError> {
        let unusable = |source| LockError::Unusable { path: path.to_owned(), source };
        // Hooks run elsewhere, and are told of paths below it.
        let path = &std::path::absolute(path).map_err(unusable)?;
        disk::create_folders(&path.join("apps")).map_err(unusable)?;
        let file = OpenOptions::new().create(true).append(true).open(path.join("lock")).map_err(unusable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(StateFolder { path: path.to_owned(), _lock: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Taken { path: path.to_owned() }),
            Err(errno) => Err(unusable(errno.into())),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that metrics are written to where the configuration names none.
    pub(crate) fn metrics(&self) -> PathBuf {
        self.path.join("metrics.prom")
    }

    /// The folder of one app.
    pub fn app(&self, app: &App) -> AppFolder {
        AppFolder::of(&self.path, app)
    }
}

/// Says why a state folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("another agent runs on `{}`; stop it, or give this one a `state` of its own", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// It cannot be made or written.
    #[error("state folder `{}` cannot be used", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// The folder of one app. A plain path: reading through it needs no lock.
#[derive(Clone, Debug)]
pub struct AppFolder {
    path: PathBuf,
}

impl AppFolder {
    /// The folder of `app` under the state folder `state`.
    pub fn of(state: &Path, app: &App) -> AppFolder {
        AppFolder { path: state.join("apps").join(app.as_str()) }
    }

    /// All app folders under `state`, sorted by name; none where there is no such folder.
    ///
    /// # Errors
    /// As the system says.
    pub fn all(state: &Path) -> io::Result<Vec<(App, AppFolder)>> {
        let mut found = Vec::new();
        for name in names_in(&state.join("apps"))? {
            found.extend(name.parse().ok().map(|app| (AppFolder::of(state, &app), app)));
        }
        found.sort_by(|one, other| one.1.cmp(&other.1));
        Ok(found.into_iter().map(|(folder, app)| (app, folder)).collect())
    }

    /// Makes the folders that are missing, durably.
    pub(crate) fn create(&self) -> io::Result<()> {
        disk::create_folders(&self.versions())?;
        disk::create_folders(&self.stage())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The link that applications read through.
    pub fn current(&self) -> PathBuf {
        self.path.join("current")
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// What the last scrub found.
    pub(crate) fn scrub(&self) -> PathBuf {
        self.path.join("scrub")
    }

    /// The tree of one version, whether or not it is there.
    pub fn version(&self, digest: &Digest) -> PathBuf {
        self.versions().join(digest.to_string())
    }

    pub(crate) fn versions(&self) -> PathBuf {
        self.path.join("versions")
    }

    pub(crate) fn stage(&self) -> PathBuf {
        self.path.join("stage")
    }

    /// The version that `current` resolves to; nothing where there is no link, or none to a version that is there.
    ///
    /// # Errors
    /// As the system says, and [`io::ErrorKind::AlreadyExists`] where `current` is something other than a link of ours.
    pub fn active(&self) -> io::Result<Option<Digest>> {
        let target = match fs::read_link(self.current()) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(self.foreign()),
            Err(error) => return Err(error),
        };
        let digest: Digest = target
            .to_str()
            .and_then(|target| target.strip_prefix("versions/"))
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| self.foreign())?;
        Ok(self.has(&digest)?.then_some(digest))
    }

    /// The versions that are there, whole: nothing else is ever renamed into `versions/`. What else lies there is none.
    ///
    /// # Errors
    /// As the system says.
    pub fn on_disk(&self) -> io::Result<BTreeSet<Digest>> {
        let mut found = BTreeSet::new();
        for digest in names_in(&self.versions())?.iter().filter_map(|name| name.parse().ok()) {
            if self.has(&digest)? {
                found.insert(digest);
            }
        }
        Ok(found)
    }

    /// Whether the tree of `digest` is there. A disk that does not tell is no reason to think that it is not.
    pub(crate) fn has(&self, digest: &Digest) -> io::Result<bool> {
        match self.version(digest).symlink_metadata() {
            Ok(metadata) => Ok(metadata.is_dir()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes `current` resolve to `digest` by one rename: a reader sees the old tree or the new one. Not yet durable.
    pub(crate) fn switch(&self, digest: &Digest) -> io::Result<()> {
        let next = self.stage().join("current");
        disk::remove_if_there(&next)?;
        symlink(Path::new("versions").join(digest.to_string()), &next)?;
        disk::rename(&next, &self.current())
    }

    /// Makes the entries of the folder durable, `current` among them.
    pub(crate) fn sync(&self) -> io::Result<()> {
        disk::sync(&self.path)
    }

    fn foreign(&self) -> io::Error {
        let text = format!("`{}` is not a link that Driftless made; move it away", self.current().display());
        io::Error::new(io::ErrorKind::AlreadyExists, text)
    }
}

/// The UTF-8 names in a folder; none where the folder is missing.
fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app_folder() -> (tempfile::TempDir, AppFolder) {
        let state = tempfile::tempdir().expect("a temporary folder");
        let folder = AppFolder::of(state.path(), &"edge-proxy".parse().expect("a name"));
        folder.create().expect("an empty folder");
        (state, folder)
    }

    #[test]
    fn f10_a_second_agent_on_one_folder_is_refused() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let first = StateFolder::lock(state.path()).expect("nobody else has it");
        let second = StateFolder::lock(state.path()).expect_err("it is taken");
        assert!(matches!(second, LockError::Taken { .. }), "{second}");
        drop(first);
        StateFolder::lock(state.path()).expect("given up");
    }

    #[test]
    fn current_is_a_relative_link_that_one_rename_switches() {
        let (_state, folder) = app_folder();
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        assert_eq!(folder.active().expect("no link"), None);
        for digest in [old, new] {
            fs::create_dir(folder.version(&digest)).expect("a new version");
            folder.switch(&digest).expect("a free name");
            assert_eq!(folder.active().expect("our link"), Some(digest));
        }
        assert!(fs::read_link(folder.current()).expect("a link").is_relative());
        fs::remove_dir(folder.version(&new)).expect("an empty version");
        assert_eq!(folder.active().expect("a dangling link"), None);
    }

    #[test]
    fn what_is_no_tree_is_no_version() {
        let (state, folder) = app_folder();
        let (file, link) = (Digest::of(b"file"), Digest::of(b"link"));
        fs::write(folder.version(&file), "").expect("a free name");
        symlink(state.path(), folder.version(&link)).expect("a free name");
        fs::create_dir(folder.versions().join("lost+found")).expect("a free name");
        assert_eq!(folder.on_disk().expect("a folder"), BTreeSet::new());
        for digest in [file, link] {
            folder.switch(&digest).expect("a free name");
            assert_eq!(folder.active().expect("our link"), None);
        }
    }

    #[test]
    fn a_current_of_somebody_else_is_left_alone() {
        let (_state, folder) = app_folder();
        fs::create_dir(folder.current()).expect("a free name");
        assert!(folder.active().is_err());
        assert!(folder.switch(&Digest::of(b"new")).is_err());
        fs::remove_dir(folder.current()).expect("still there and empty");
        symlink("/etc", folder.current()).expect("a free name");
        assert!(folder.active().is_err());
    }
}
