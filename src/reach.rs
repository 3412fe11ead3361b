//! How to reach a gateway that wants to know who asks: the files that prove it, as options.

use std::path::PathBuf;

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
    #[arg(long, value_name = "FILE", env = "DRIFTLESS_TOKEN_FILE")]
    token: Option<PathBuf>,
}

impl Reach {
    /// A client for the gateway at `url`.
    pub(crate) fn mirrors(&self, url: &BaseUrl) -> Result<Mirrors, Failure> {
        let Reach { ca, certificate, key, token } = self.clone();
        let settings = Settings { credentials: Credentials { ca, certificate, key, token }, ..Settings::default() };
        Mirrors::new(vec![url.clone()], settings).map_err(Failure::usage)
    }
}
