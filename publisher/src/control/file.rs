//! The file that says who has access, read again when it changes.
//!
//! In: a path. Out: the newest [`Access`] that could be read there. It is looked at when somebody asks, at most every
//! [`EVERY`], and compared by content, so it does not matter how it is replaced. What cannot be read or is wrong replaces
//! nothing and is told once.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use schema::Digest;

use super::access::{Access, InvalidAccess};
use crate::causes::causes;

/// Who has access, by a file.
#[derive(Debug)]
pub struct AccessFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    access: Arc<Access>,
    /// Of the content that was looked at last; nothing where it could not be read.
    seen: Option<Digest>,
    looked: Instant,
}

/// Says why a file does not tell who has access.
#[derive(Debug, thiserror::Error)]
pub enum AccessFileError {
    /// It cannot be read.
    #[error("access file `{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is not as it must be.
    #[error("access file `{}` is of no use", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: InvalidAccess,
    },
}

impl AccessFile {
    /// Reads the file at `path` for the first time. Blocks.
    ///
    /// # Errors
    /// [`AccessFileError`] where it cannot be read, or would let in the wrong ones.
    pub fn open(path: &Path) -> Result<AccessFile, AccessFileError> {
        let text = read(path)?;
        let access = Arc::new(parse(path, &text)?);
        let state = State { access, seen: Some(Digest::of(text.as_bytes())), looked: Instant::now() };
        Ok(AccessFile { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// Who has access now. Blocks, on one small file.
    pub(super) fn now(&self) -> Arc<Access> {
        let mut state = self.state();
        if state.looked.elapsed() >= EVERY {
            state.looked = Instant::now();
            self.look(&mut state);
        }
        Arc::clone(&state.access)
    }

    fn look(&self, state: &mut State) {
        let text = read(&self.path);
        let found = text.as_ref().ok().map(|text| Digest::of(text.as_bytes()));
        if found == state.seen {
            return;
        }
        state.seen = found;
        match text.and_then(|text| parse(&self.path, &text)) {
            Ok(access) => {
                state.access = Arc::new(access);
                tracing::info!("Access to the control API is by the new {} now", self.path.display());
            }
            Err(error) => {
                tracing::error!("{}; whoever had access still has it", causes(&error).join(": "));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic left is a whole state: each field is replaced at once.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<String, AccessFileError> {
    let bounded = || {
        let mut text = String::new();
        File::open(path)?.take(FILE_MAX_BYTES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > FILE_MAX_BYTES {
            let wrong = format!("it has more than {FILE_MAX_BYTES} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, wrong));
        }
        Ok(text)
    };
    bounded().map_err(|source| AccessFileError::Unreadable { path: path.to_owned(), source })
}

fn parse(path: &Path, text: &str) -> Result<Access, AccessFileError> {
    let parsed = Access::parse(&path.display().to_string(), text);
    parsed.map_err(|source| AccessFileError::Invalid { path: path.to_owned(), source })
}

/// How soon a change counts.
const EVERY: Duration = Duration::from_secs(1);
const FILE_MAX_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use schema::Timestamp;

    use super::*;

    #[test]
    fn a_change_counts_and_a_mistake_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("control.yaml");
        let write = |token: &str| {
            let text = format!("operators: {{ alice: {{ token_sha256: {} }} }}\n", Digest::of(token.as_bytes()));
            std::fs::write(&path, text).expect("a small file");
        };
        write("one");
        let file = AccessFile::open(&path).expect("a file");
        let lets_in = |token: &str| {
            file.look(&mut file.state());
            file.now().admit(Some(token), Timestamp::UNIX_EPOCH).is_ok()
        };
        assert!(lets_in("one") && !lets_in("two"));
        write("two");
        assert!(lets_in("two") && !lets_in("one"), "a token that was taken out is worth nothing");
        std::fs::write(&path, "operators: [").expect("a small file");
        assert!(lets_in("two"));
        std::fs::remove_file(&path).expect("it was there");
        assert!(lets_in("two"));
        write("three");
        assert!(lets_in("three") && !lets_in("two"));
        assert!(AccessFile::open(&folder.path().join("none.yaml")).is_err());
    }
}
