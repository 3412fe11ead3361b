//! How to reach a gateway that wants to know who asks: the files that prove it, as options.

use std::path::{Path, PathBuf};
use std::time::Duration;

use follower::{BaseUrl, Credentials, Mirrors, Settings};

use crate::exit::Failure;

/// Files that prove who asks, and who answers.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Reaching a gateway")]
pub(crate) struct Reach {
    /// Certificates of the only authorities that the gateway's own certificate may be from (PEM)
    #[arg(long, value_name = "FILE", env = "DRIFTLESS_CA")]
    ca: Option<PathBuf>,

    /// A certificate to show to a gateway that asks for one (PEM)
    #[arg(long, value_name = "FILE", requires = "key", env = "DRIFTLESS_CERTIFICATE")]
    certificate: Option<PathBuf>,

    /// The private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "certificate", env = "DRIFTLESS_KEY")]
    key: Option<PathBuf>,

    /// A file with a bearer token, sent over https, or to this host
    #[arg(long, visible_alias = "token-file", value_name = "FILE", env = "DRIFTLESS_TOKEN_FILE")]
    token: Option<PathBuf>,
}

impl Reach {
    /// A client for the gateway at `url`.
    pub(crate) fn mirrors(&self, url: &BaseUrl) -> Result<Mirrors, Failure> {
        self.client(url, Settings::default())
    }

    /// A client that waits `answer_within` for an answer.
    pub(crate) fn patient_mirrors(&self, url: &BaseUrl, answer_within: Duration) -> Result<Mirrors, Failure> {
        self.client(url, Settings { answer_within, ..Settings::default() })
    }

    /// The file with the token, if one is named.
    pub(crate) fn token(&self) -> Option<&Path> {
        self.token.as_deref()
    }

    /// The same with the token in `file`, where none is named.
    pub(crate) fn or_token(mut self, file: impl FnOnce() -> Option<PathBuf>) -> Reach {
        self.token = self.token.or_else(file);
        self
    }

    fn client(&self, url: &BaseUrl, settings: Settings) -> Result<Mirrors, Failure> {
        let Reach { ca, certificate, key, token } = self.clone();
        let settings = Settings { credentials: Credentials { ca, certificate, key, token }, ..settings };
        Mirrors::new(vec![url.clone()], settings).map_err(Failure::usage)
    }
}
