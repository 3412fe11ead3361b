//! Replaces a file if it still has the ETag that was seen: what a directory has in the place of `If-Match`.
//!
//! An advisory lock makes comparing and replacing one step among the processes of this host; the kernel drops it when its
//! holder dies. Nothing rests on it: a holder that is stopped, not dead, is passed by after a while, and if it then wakes
//! and puts an older pointer back, the history that was written first repairs it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use object_store::{Error as Cause, PutResult};
use schema::Digest;
use tracing::warn;

use super::{durable, generic};

/// One for all pointers of a store: they are small, and few processes write them. Listings pass over `name#number`, so it is no
/// object.
const LOCK_NAME: &str = ".pointers.lock#0";

/// Far longer than any holder needs that is not stopped.
const LOCK_WITHIN: Duration = Duration::from_secs(5);

/// The name of what a pointer with these bytes is: their digest, in quotes.
pub(super) fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", Digest::of(bytes))
}

/// Replaces `file` by `bytes`, durably, or finds it without the ETag that was `seen`.
pub(super) fn replace(root: &Path, file: &Path, seen: Option<&str>, bytes: &[u8]) -> object_store::Result<PutResult> {
    let _lock = lock(&root.join(LOCK_NAME), LOCK_WITHIN).map_err(generic)?;
    let standing = match fs::read(file) {
        Ok(standing) => Some(etag(&standing)),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(generic(error)),
    };
    if standing.is_none() || standing.as_deref() != seen {
        let source = "the pointer is not the one that was seen".into();
        return Err(Cause::Precondition { path: file.display().to_string(), source });
    }
    // Passed over by listings as well, whoever left it there.
    let staged = PathBuf::from(format!("{}#{}", file.display(), fastrand::u64(..)));
    let replaced = stage(&staged, bytes).and_then(|()| fs::rename(&staged, file));
    if let Err(error) = replaced {
        let _ = fs::remove_file(&staged); // It may not be there, and nothing reads it if it is.
        return Err(generic(error));
    }
    // A reader may see it before it is durable. After a power cut the older pointer is back, and repaired from history.
    durable::sync(durable::above(file)).map_err(generic)?;
    Ok(PutResult { e_tag: Some(etag(bytes)), version: None, extensions: Default::default() })
}

fn stage(staged: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(staged)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Locks the file at `path`; dropping what it gives unlocks it. Gives nothing if there is no lock to be had in time.
fn lock(path: &Path, within: Duration) -> io::Result<Option<File>> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    let deadline = Instant::now() + within;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(fastrand::u64(1..10)));
            }
            Err(TryLockError::WouldBlock) => {
                warn!(lock = %path.display(), "Wrote a pointer past another process that holds the lock; is one stopped?");
                return Ok(None);
            }
            // Some network file systems have none.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_holder_of_the_lock_is_passed_by() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let path = root.path().join(LOCK_NAME);
        let held = lock(&path, Duration::ZERO).expect("a lock").expect("nobody holds it");
        assert!(lock(&path, Duration::from_millis(50)).expect("no error").is_none());
        drop(held);
        assert!(lock(&path, Duration::ZERO).expect("a lock").is_some());
    }

    #[test]
    fn only_what_was_seen_is_replaced() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let file = root.path().join("pointer");
        let refused = replace(root.path(), &file, Some(&etag(b"old")), b"new").expect_err("nothing is there");
        assert!(matches!(refused, Cause::Precondition { .. }), "{refused}");
        fs::write(&file, "other").expect("it can be written");
        let refused = replace(root.path(), &file, Some(&etag(b"old")), b"new").expect_err("another is there");
        assert!(matches!(refused, Cause::Precondition { .. }), "{refused}");
        assert_eq!(fs::read(&file).expect("it can be read"), b"other");
    }
}
