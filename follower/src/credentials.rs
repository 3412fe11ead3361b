//! What this host shows to servers that ask who it is, and by what it knows them.
//!
//! In: paths of files, from a configuration. Out: what the files hold, ready for use, or the one that is wrong. Whom it is
//! shown to is decided in `target.rs`; what happens when a file changes, in `line.rs`. Nothing here is needed for what is
//! fetched to be trusted: signatures see to that, whoever serves it.

mod file;
mod pem;
mod token;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderValue;
use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use serde::Deserialize;

pub(crate) use self::file::Stamp;

/// Files that prove who this host is, and who it talks to. All of them may be left out.
///
/// The files are read when they are first needed and again whenever they change; while a changed file cannot be used, what
/// was read before stays in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    /// Certificates of the authorities that `https` base URLs are checked against, in PEM form, at most 1 MiB. When given,
    /// these are the only ones, and those of the operating system count no more.
    pub ca: Option<PathBuf>,
    /// The certificate that is shown to servers that ask for one (mTLS), followed by its chain, in PEM form, at most 64 KiB.
    /// Goes with `key`.
    pub certificate: Option<PathBuf>,
    /// The private key of `certificate`, in PEM form and without a passphrase, at most 64 KiB.
    pub key: Option<PathBuf>,
    /// One line, at most 4096 bytes, sent as `Authorization: Bearer …` with each request to a base URL that is `https`, or
    /// `http` to this same host. Base URLs of other kinds are asked without.
    pub token: Option<PathBuf>,
}

/// Says which file holds no credentials, and why. Never shows what is in it.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// One without the other.
    #[error("a certificate is of no use without its key, nor a key without its certificate; give both or neither")]
    Unpaired,
    /// The file cannot be read.
    #[error("{file} `{}` cannot be read", path.display())]
    Unreadable {
        /// What it should hold.
        file: CredentialFile,
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Not what it should be.
    #[error("{file} `{}` cannot be used: {wrong}", path.display())]
    Unusable {
        /// What it should hold.
        file: CredentialFile,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// A certificate that no TLS can use, or a key that is not its own.
    #[error("{file} `{}` cannot be used", path.display())]
    Tls {
        /// What it should hold.
        file: CredentialFile,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
}

/// Which of the four files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialFile {
    /// [`Credentials::ca`].
    Ca,
    /// [`Credentials::certificate`].
    Certificate,
    /// [`Credentials::key`].
    Key,
    /// [`Credentials::token`].
    Token,
}

/// What the files held when they were read.
pub(crate) struct Loaded {
    /// The only authorities to believe, where there are such.
    pub(crate) authorities: Option<RootCertStore>,
    pub(crate) identity: Option<Arc<CertifiedKey>>,
    /// The whole value of `Authorization`.
    pub(crate) bearer: Option<HeaderValue>,
}

impl Credentials {
    /// Makes relative paths count from `folder`, the one of the configuration file.
    pub fn resolve(&mut self, folder: &Path) {
        for path in [&mut self.ca, &mut self.certificate, &mut self.key, &mut self.token].into_iter().flatten() {
            *path = folder.join(&path);
        }
    }

    /// Reads every file that is named, as the first connection would, and forgets what was in them. Blocks.
    ///
    /// # Errors
    /// The first [`CredentialsError`], in the order of the fields.
    pub fn check(&self) -> Result<(), CredentialsError> {
        self.load().map(drop)
    }

    /// Whether there is nothing to read.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Credentials::default()
    }

    /// What shows that one of the files has changed. Blocks.
    pub(crate) fn stamps(&self) -> [Option<Stamp>; 4] {
        [&self.ca, &self.certificate, &self.key, &self.token].map(|path| path.as_deref().and_then(Stamp::of))
    }

    /// Blocks.
    pub(crate) fn load(&self) -> Result<Loaded, CredentialsError> {
        let authorities = self.ca.as_deref().map(pem::authorities).transpose()?;
        let identity = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(Arc::new(pem::identity(certificate, key)?)),
            (None, None) => None,
            _ => return Err(CredentialsError::Unpaired),
        };
        let bearer = self.token.as_deref().map(token::bearer).transpose()?;
        Ok(Loaded { authorities, identity, bearer })
    }
}

impl fmt::Display for CredentialFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CredentialFile::Ca => "authority file",
            CredentialFile::Certificate => "certificate",
            CredentialFile::Key => "private key",
            CredentialFile::Token => "token",
        })
    }
}
