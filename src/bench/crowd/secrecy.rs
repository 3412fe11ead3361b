//! What a crowd needs to speak TLS: the authorities to believe, and the name to look for.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::link::Secrecy;
use super::orders::Trusted;

/// Reads the authorities that `trusted` names.
pub(super) fn of(trusted: &Trusted) -> io::Result<Secrecy> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&trusted.authorities).map_err(io::Error::other)? {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
    // Every client is another host, so none resumes what another began.
    config.resumption = rustls::client::Resumption::disabled();
    let name = ServerName::try_from(trusted.name.clone()).map_err(io::Error::other)?;
    Ok(Secrecy { config: Arc::new(config), name })
}
