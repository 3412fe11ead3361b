//! `tls:` in a configuration: which certificate to show, and whose to ask for.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The certificate that a listener shows, and the certificates that it wants to see.
///
/// All files are PEM, and are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "File")]
pub struct Tls {
    /// The certificate, and after it those that lead to an authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Whose certificates clients may show; without it none is asked for.
    pub clients: Option<Clients>,
}

/// Which certificates clients may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// The authorities that must have signed them.
    pub ca: PathBuf,
    /// Whether a client may do without.
    pub certificate: Presence,
}

/// Whether a client may do without a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Who has none does not get past the handshake, not even to `/healthz`.
    #[default]
    Required,
    /// Who has none may have a token.
    Optional,
}

impl Tls {
    /// Lets relative paths start at `folder`.
    pub(crate) fn under(self, folder: &Path) -> Tls {
        let clients = self.clients.map(|clients| Clients { ca: folder.join(clients.ca), ..clients });
        Tls { certificate: folder.join(self.certificate), key: folder.join(self.key), clients }
    }
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
    client: Option<Presence>,
}

impl TryFrom<File> for Tls {
    type Error = &'static str;

    fn try_from(file: File) -> Result<Tls, &'static str> {
        let clients = match (file.client_ca, file.client) {
            (Some(ca), presence) => Some(Clients { ca, certificate: presence.unwrap_or_default() }),
            (None, None) => None,
            (None, Some(_)) => return Err("`client` needs a `client_ca` to judge certificates by"),
        };
        Ok(Tls { certificate: file.certificate, key: file.key, clients })
    }
}
