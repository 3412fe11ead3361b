//! Certificates and keys, from files to something that can take a handshake.
//!
//! In: the files that [`Tls`] names. Out: a [`ServerConfig`], or one [`TlsError`]: a certificate whose key is another's, a
//! file without a certificate, an authority that is none. TLS 1.2 and 1.3 as rustls has them, by `ring`; HTTP/2 and HTTP/1.1
//! are spoken inside.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use super::config::{Clients, Presence, Tls};
use crate::reload::{Content, Files, Unreadable};

/// The files of a [`Tls`].
#[derive(Debug)]
pub(crate) struct Certificates(pub(crate) Tls);

/// Says why files do not make a listener of TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of them cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// One of them is not PEM, or holds nothing of the kind that it should.
    #[error("no usable {what} in {}", path.display())]
    Pem {
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: pem::Error,
    },
    /// Certificate and key do not make a pair, or not one that can sign.
    #[error("the certificate in {} and the key in {} cannot be used together", certificate.display(), key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// A certificate that cannot be an authority.
    #[error("a certificate in {} is no authority", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// The authorities cannot judge anybody.
    #[error("the authorities in {} cannot be used", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: VerifierBuilderError,
    },
}

impl Files for Certificates {
    type Value = ServerConfig;
    type Error = TlsError;

    fn paths(&self) -> Result<Vec<PathBuf>, Unreadable> {
        let ca = self.0.clients.as_ref().map(|clients| clients.ca.clone());
        Ok([self.0.certificate.clone(), self.0.key.clone()].into_iter().chain(ca).collect())
    }

    fn parse(&self, contents: &[Content]) -> Result<ServerConfig, TlsError> {
        let (certificate, key) = (&contents[0], &contents[1]);
        let chain = certificates(certificate)?;
        let secret =
            PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|source| no_usable("private key", key, source))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = match (&self.0.clients, contents.get(2)) {
            (Some(clients), Some(ca)) => verifier(clients, ca, &provider)?,
            _ => WebPkiClientVerifier::no_client_auth(),
        };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for TLS 1.2 and 1.3");
        let mut config =
            builder.with_client_cert_verifier(verifier).with_single_cert(chain, secret).map_err(|source| {
                TlsError::Pair { certificate: certificate.path.clone(), key: key.path.clone(), source }
            })?;
        config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
        if self.0.clients.is_some() {
            // A resumed session is not asked for its certificate again, and that may have expired since.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(config)
    }
}

/// How HTTP/2 is called in a handshake.
pub(crate) const HTTP2: &[u8] = b"h2";

fn certificates(content: &Content) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content.bytes).collect();
    let read = read.and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) });
    read.map_err(|source| no_usable("certificate", content, source))
}

fn no_usable(what: &'static str, content: &Content, source: pem::Error) -> TlsError {
    TlsError::Pem { what, path: content.path.clone(), source }
}

fn verifier(
    clients: &Clients,
    ca: &Content,
    provider: &Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let path = || ca.path.clone();
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(ca)? {
        authorities.add(certificate).map_err(|source| TlsError::Authority { path: path(), source })?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(provider));
    let builder = match clients.certificate {
        Presence::Required => builder,
        Presence::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|source| TlsError::Authorities { path: path(), source })
}
