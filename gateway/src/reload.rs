//! What is read from files, and read again when they change.
//!
//! In: files, and how to make a value of them. Out: the newest value that could be made. Files are looked at every few
//! seconds and compared by content, so it does not matter how they are replaced: in place, by a rename, by a link that points
//! elsewhere. What cannot be read or does not hold together replaces nothing; it is told, and looked at again.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use schema::Digest;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::follow::jittered;

/// Files, and how to make a value of them.
pub(crate) trait Files: Send + Sync + 'static {
    /// What they say.
    type Value: Send + Sync + 'static;
    /// Why they say nothing.
    type Error: Error + From<Unreadable> + Send + Sync + 'static;

    /// Which files to read now, in an order that does not change by itself.
    fn paths(&self) -> Result<Vec<PathBuf>, Unreadable>;

    /// Makes a value of their contents, in the order of [`Files::paths`].
    fn parse(&self, contents: &[Content]) -> Result<Self::Value, Self::Error>;
}

/// One file as it was read. Wiped from memory when it is dropped: it may hold a key.
pub(crate) struct Content {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// Says that a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read {}", path.display())]
pub struct Unreadable {
    /// The file, or the folder that it should be in.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// A value that follows its files.
#[derive(Debug)]
pub(crate) struct Reloaded<F: Files> {
    files: F,
    state: RwLock<State<F::Value>>,
}

#[derive(Debug)]
struct State<V> {
    value: Arc<V>,
    /// Of the contents that made it.
    good: Digest,
    /// Of the contents that were looked at last and made none.
    bad: Option<Digest>,
}

/// What a look at the files came to.
#[derive(Debug)]
pub(crate) enum Looked<E> {
    /// They say what is in force.
    Unchanged,
    /// They say something new, which is in force now.
    Replaced,
    /// They cannot be used; what was in force still is.
    Refused(E),
    /// They are what was refused before.
    StillRefused,
}

impl<F: Files> Reloaded<F> {
    /// Reads `files` for the first time.
    ///
    /// # Errors
    /// Whatever keeps them from making a value.
    pub(crate) fn read(files: F) -> Result<Reloaded<F>, F::Error> {
        let contents = load(&files)?;
        let value = Arc::new(files.parse(&contents)?);
        let state = State { value, good: digest(&contents), bad: None };
        Ok(Reloaded { files, state: RwLock::new(state) })
    }

    /// The newest value that could be made.
    pub(crate) fn now(&self) -> Arc<F::Value> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner).value)
    }

    /// Reads the files again, and makes a new value of them if they changed.
    pub(crate) fn look(&self) -> Looked<F::Error> {
        let contents = match load(&self.files) {
            Ok(contents) => contents,
            Err(unreadable) => return Looked::Refused(unreadable.into()),
        };
        let found = digest(&contents);
        let (good, bad) = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            (state.good, state.bad)
        };
        if found == good || Some(found) == bad {
            return if found == good { Looked::Unchanged } else { Looked::StillRefused };
        }
        let parsed = self.files.parse(&contents);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match parsed {
            Ok(value) => {
                *state = State { value: Arc::new(value), good: found, bad: None };
                Looked::Replaced
            }
            Err(error) => {
                state.bad = Some(found);
                Looked::Refused(error)
            }
        }
    }
}

/// Looks at the files of `reloaded` again and again until `shutdown`, and tells what came of it.
pub(crate) async fn follow<F: Files>(
    reloaded: Arc<Reloaded<F>>,
    tell: impl Fn(Looked<F::Error>) + Send,
    shutdown: CancellationToken,
) {
    let again_and_again = async {
        loop {
            tokio::time::sleep(jittered(EVERY)).await;
            let looking = Arc::clone(&reloaded);
            let looked = tokio::task::spawn_blocking(move || looking.look()).await;
            tell(looked.expect("reading files does not panic, and the runtime outlives its tasks"));
        }
    };
    shutdown.run_until_cancelled(again_and_again).await;
}

fn load(files: &impl Files) -> Result<Vec<Content>, Unreadable> {
    files.paths()?.into_iter().map(Content::read).collect()
}

/// Covers the names, and where one file ends and the next begins.
fn digest(contents: &[Content]) -> Digest {
    let mut hasher = schema::digest::Hasher::default();
    for Content { path, bytes } in contents {
        hasher.update(path.as_os_str().as_encoded_bytes());
        hasher.update(&[0]);
        hasher.update(Digest::of(bytes).to_string().as_bytes());
    }
    hasher.finish()
}

impl Content {
    pub(crate) fn read(path: PathBuf) -> Result<Content, Unreadable> {
        match read_bounded(&path) {
            Ok(bytes) => Ok(Content { path, bytes }),
            Err(source) => Err(Unreadable { path, source }),
        }
    }
}

fn read_bounded(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // As large as it may become, so that no half of a key is left behind where the buffer was before it grew.
    let file = File::open(path)?;
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).min(FILE_MAX_BYTES);
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
    file.take(FILE_MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > FILE_MAX_BYTES {
        let wrong = format!("it has more than {FILE_MAX_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, wrong));
    }
    Ok(bytes)
}

const EVERY: Duration = Duration::from_secs(2);
/// Certificates of a whole world of authorities are half of that.
const FILE_MAX_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A number in a file.
    struct Number(PathBuf);

    #[derive(Debug, thiserror::Error)]
    enum NoNumber {
        #[error(transparent)]
        Unreadable(#[from] Unreadable),
        #[error("no number")]
        Shape,
    }

    impl Files for Number {
        type Value = u64;
        type Error = NoNumber;

        fn paths(&self) -> Result<Vec<PathBuf>, Unreadable> {
            Ok(vec![self.0.clone()])
        }

        fn parse(&self, contents: &[Content]) -> Result<u64, NoNumber> {
            let text = str::from_utf8(&contents[0].bytes).ok();
            text.and_then(|text| text.parse().ok()).ok_or(NoNumber::Shape)
        }
    }

    #[test]
    fn what_is_broken_replaces_nothing_and_is_told_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("number");
        let write = |text: &str| std::fs::write(&path, text).expect("a write");
        write("1");
        let number = Reloaded::read(Number(path.clone())).expect("a number");
        assert!(matches!(number.look(), Looked::Unchanged));
        write("one");
        assert!(matches!(number.look(), Looked::Refused(NoNumber::Shape)));
        assert!(matches!(number.look(), Looked::StillRefused));
        assert_eq!(*number.now(), 1);
        write("2");
        assert!(matches!(number.look(), Looked::Replaced));
        assert_eq!(*number.now(), 2);
        std::fs::remove_file(&path).expect("a file");
        assert!(matches!(number.look(), Looked::Refused(NoNumber::Unreadable(_))));
        assert_eq!(*number.now(), 2);
        write("2");
        assert!(matches!(number.look(), Looked::Unchanged));
        write(&"9".repeat(FILE_MAX_BYTES + 1));
        assert!(matches!(number.look(), Looked::Refused(NoNumber::Unreadable(_))));
    }
}
