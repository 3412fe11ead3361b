//! Reads the signer policy from disk: an `allowed_signers` file, or, by its ending `.yaml` or `.yml`, a policy file.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::allowed::InvalidPolicy;
use super::file;
use super::policy::SignerPolicy;

/// The largest policy or key file that is read, in bytes.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// Says why there is no policy. Then nobody may sign.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file, or a key file that it names, is missing or cannot be read.
    #[error("the signer policy `{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A key file that the policy names is missing or cannot be read.
    #[error("the key file `{}` of the signer policy `{}` cannot be read", key.display(), path.display())]
    KeyFile {
        /// The policy.
        path: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is a file of the repository that it is for.
    #[error(
        "the signer policy `{}` is a file of the commit that it is to judge, so a commit could say who may sign; keep it outside \
         of the repository",
        path.display()
    )]
    InRepository {
        /// The file.
        path: PathBuf,
    },
    /// It is not as it must be.
    #[error("the signer policy `{}` is of no use", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: InvalidPolicy,
    },
}

impl SignerPolicy {
    /// Reads the file at `path`. Key files in it start at the folder that it is in.
    ///
    /// # Errors
    /// [`PolicyError`]: something is missing or wrong.
    pub fn load(path: &Path) -> Result<SignerPolicy, PolicyError> {
        let invalid = |source| PolicyError::Invalid { path: path.to_owned(), source };
        let bytes = read(path).map_err(|source| PolicyError::Unreadable { path: path.to_owned(), source })?;
        let text = String::from_utf8(bytes).map_err(|_| PolicyError::Unreadable {
            path: path.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"),
        })?;
        if !is_policy_file(path) {
            return SignerPolicy::parse(&text).map_err(invalid);
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut read_key = |key: &Path| {
            let key = folder.join(key);
            read(&key).map_err(|source| Fault::KeyFile { key, source })
        };
        file::parse(&path.display().to_string(), &text, &mut read_key).map_err(|fault| match fault {
            Fault::Invalid(source) => invalid(source),
            Fault::KeyFile { key, source } => PolicyError::KeyFile { path: path.to_owned(), key, source },
        })
    }
}

/// Whether the file's name says that it is a policy file, and not an `allowed_signers` file.
pub(crate) fn is_policy_file(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
}

enum Fault {
    Invalid(InvalidPolicy),
    KeyFile { key: PathBuf, source: io::Error },
}

impl From<InvalidPolicy> for Fault {
    fn from(source: InvalidPolicy) -> Fault {
        Fault::Invalid(source)
    }
}

/// Reads a small file, and no more of it than that.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(bytes)
}
