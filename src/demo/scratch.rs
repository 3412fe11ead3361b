//! The demo's temporary folder, and its removal: agents make their versions read-only, which keeps even their owner from
//! removing them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::exit::Failure;

/// A folder that is removed with all that is in it.
pub(super) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(super) fn new() -> Result<Scratch, Failure> {
        tempfile::Builder::new().prefix("driftless-demo-").tempdir().map(Scratch).map_err(Failure::unexpected)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = make_writable(self.0.path()) {
            tracing::warn!("{} may not be removed whole: {error}", self.0.path().display());
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_folders_go_with_the_rest() {
        let scratch = Scratch::new().expect("a temporary folder");
        let path = scratch.path().to_owned();
        let deep = path.join("a/b");
        fs::create_dir_all(&deep).expect("folders");
        fs::write(deep.join("file"), "x").expect("a file");
        fs::set_permissions(&deep, Permissions::from_mode(0o555)).expect("read-only");
        drop(scratch);
        assert!(!path.exists());
    }
}
