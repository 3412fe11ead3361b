//! Who may come in, and how that is known: the part of a configuration that a gateway on its own and one beside a publisher
//! have in common.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ConfigError;
use crate::entrance::Admit;
use crate::tls::{Presence, Tls};

/// Who may come in, and how that is known. By default everybody, over plain HTTP.
///
/// ```yaml
/// tls: { certificate: gateway.pem, key: gateway.key, client_ca: agents-ca.pem, client: optional }
/// admit: [certificate, token]
/// agents: agents.yaml
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Entrance {
    /// TLS on the listener; without it, plain HTTP.
    pub tls: Option<Tls>,
    /// What a request must bring along. `/healthz` alone is open to all who can connect.
    pub admit: Admit,
    /// The file, or the folder of `*.yaml` files, that lists agents, gateways and readers with their keys and tokens. Where
    /// there is one, who is not in it has no name here.
    pub agents: Option<PathBuf>,
}

/// What parts that are each fine can get wrong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntranceError {
    /// Certificates are to let in, and nobody judges them.
    #[error("`admit: [certificate]` needs `tls` with a `client_ca`")]
    NoAuthority,
    /// Tokens are to let in, and nobody has any.
    #[error("`admit: [token]` needs an `agents` file with the tokens' hashes")]
    NoTokens,
    /// A token is to be enough, and the handshake wants a certificate.
    #[error(
        "who has only a token does not get past `client: required`; write `client: optional`, or leave `token` out"
    )]
    TokenBehindCertificate,
}

impl Entrance {
    /// Reads the file at `path`, which has these keys alone. Relative paths in it start at the folder that it is in.
    ///
    /// # Errors
    /// [`ConfigError`] with the place of the first thing that is wrong.
    pub fn load(path: &Path) -> Result<Entrance, ConfigError> {
        let file = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { file: file.clone(), source })?;
        let entrance: Entrance = schema::yaml::from_str(&file, &text, &schema::Limits::DEFAULT)?;
        Ok(entrance.under(path.parent().unwrap_or(Path::new(""))))
    }

    /// Lets relative paths start at `folder`.
    #[must_use]
    pub fn under(self, folder: &Path) -> Entrance {
        let Entrance { tls, admit, agents } = self;
        let agents = agents.map(|agents| folder.join(agents));
        Entrance { tls: tls.map(|tls| tls.under(folder)), admit, agents }
    }

    /// Whether its parts fit together.
    ///
    /// # Errors
    /// [`EntranceError`].
    pub fn check(&self) -> Result<(), EntranceError> {
        let clients = self.tls.as_ref().and_then(|tls| tls.clients.as_ref());
        if self.admit.by_certificate() && clients.is_none() {
            return Err(EntranceError::NoAuthority);
        }
        if self.admit.by_token() && self.agents.is_none() {
            return Err(EntranceError::NoTokens);
        }
        if self.admit.by_token() && clients.is_some_and(|clients| clients.certificate == Presence::Required) {
            return Err(EntranceError::TokenBehindCertificate);
        }
        Ok(())
    }
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    tls: Option<Tls>,
    #[serde(default)]
    admit: Admit,
    agents: Option<PathBuf>,
}

impl TryFrom<Written> for Entrance {
    type Error = EntranceError;

    fn try_from(Written { tls, admit, agents }: Written) -> Result<Entrance, EntranceError> {
        let entrance = Entrance { tls, admit, agents };
        entrance.check().map(|()| entrance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Entrance, String> {
        schema::yaml::from_str("serve.yaml", text, &schema::Limits::DEFAULT).map_err(|error| error.to_string())
    }

    const TLS: &str = "tls: { certificate: c, key: k, client_ca: ca";

    #[test]
    fn what_fits_together_is_taken() {
        assert_eq!(read("{}\n"), Ok(Entrance::default()));
        assert_eq!(read("admit: anyone\n"), Ok(Entrance::default()));
        let mutual = read(&format!("{TLS} }}\nadmit: [certificate]\n")).expect("an entrance").under(Path::new("/etc"));
        let tls = mutual.tls.expect("TLS");
        assert_eq!((tls.certificate.as_path(), tls.key.as_path()), (Path::new("/etc/c"), Path::new("/etc/k")));
        let clients = tls.clients.expect("an authority");
        assert_eq!((clients.ca.as_path(), clients.certificate), (Path::new("/etc/ca"), Presence::Required));
        let either = read(&format!("{TLS}, client: optional }}\nadmit: [token, certificate]\nagents: a.yaml\n"));
        assert_eq!(either.map(|entrance| entrance.admit), Ok(Admit::CertificateOrToken));
        assert_eq!(read("admit: [token]\nagents: a.yaml\n").map(|entrance| entrance.admit), Ok(Admit::Token));
    }

    #[test]
    fn a02_what_would_let_in_everybody_or_nobody_by_mistake_is_refused() {
        for text in [
            "admit: []\n",
            "admit: [token]\n",
            "admit: [certificate]\n",
            "admit: certificate\n",
            "admit: [anyone]\n",
            "tls: { certificate: c, key: k }\nadmit: [certificate]\n",
            "tls: { certificate: c, key: k, client: required }\n",
            "tls: { certificate: c }\n",
            &format!("{TLS} }}\nadmit: [certificate, token]\nagents: a.yaml\n"),
            &format!("{TLS}, client: never }}\n"),
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
