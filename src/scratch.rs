//! A temporary folder in which agents run, and its removal: agents make their versions read-only, which keeps even their owner
//! from removing them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::exit::Failure;

/// A folder that is removed with all that is in it.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    /// Makes a folder whose name begins with `prefix`, where temporary folders are.
    pub(crate) fn new(prefix: &str) -> Result<Scratch, Failure> {
        tempfile::Builder::new().prefix(prefix).tempdir().map(Scratch).map_err(Failure::unexpected)
    }

    /// Makes one in the folder `place`.
    pub(crate) fn within(place: &Path, prefix: &str) -> Result<Scratch, Failure> {
        let made = tempfile::Builder::new().prefix(prefix).tempdir_in(place);
        let refused = |error| Failure::usage(format!("no folder can be made in {}: {error}", place.display()));
        made.map(Scratch).map_err(refused)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    /// Whoever was stopped in the middle may be at his last write still: what he leaves there meanwhile goes with the next attempt.
    fn drop(&mut self) {
        let begun = Instant::now();
        while let Err(error) = remove(self.path()) {
            if begun.elapsed() > WRITERS_END_WITHIN {
                tracing::warn!("{} could not be removed whole: {error}", self.path().display());
                return;
            }
            thread::sleep(BETWEEN);
        }
    }
}

/// Removes a folder and all that is in it.
fn remove(folder: &Path) -> io::Result<()> {
    let removed = make_writable(folder).and_then(|()| fs::remove_dir_all(folder));
    // Others may remove or write at the same time: whatever went wrong on the way, what counts is whether it is gone.
    if folder.try_exists()? { removed.and(Err(io::ErrorKind::DirectoryNotEmpty.into())) } else { Ok(()) }
}

/// Lets the owner remove what is in `folder` and below. Follows no link.
fn make_writable(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

const WRITERS_END_WITHIN: Duration = Duration::from_secs(2);
const BETWEEN: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_folders_go_with_the_rest() {
        let scratch = Scratch::new("driftless-").expect("a temporary folder");
        let path = scratch.path().to_owned();
        let deep = path.join("a/b");
        fs::create_dir_all(&deep).expect("folders");
        fs::write(deep.join("file"), "x").expect("a file");
        fs::set_permissions(&deep, Permissions::from_mode(0o555)).expect("read-only");
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn what_somebody_still_writes_meanwhile_goes_too() {
        let scratch = Scratch::new("driftless-").expect("a temporary folder");
        let path = scratch.path().to_owned();
        let deep = path.join("deep");
        fs::create_dir(&deep).expect("a folder");
        thread::scope(|scope| {
            // As an unpacking does that nobody waits for: until its folder is gone.
            let writer = scope.spawn(|| (0..).take_while(|n| fs::write(deep.join(n.to_string()), "x").is_ok()).count());
            while !deep.join("100").exists() {
                thread::yield_now();
            }
            drop(scratch);
            writer.join().expect("it ends with its folder");
        });
        assert!(!path.exists());
    }
}
