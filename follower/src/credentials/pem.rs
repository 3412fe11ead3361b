//! Certificates and their keys, in PEM form.
//!
//! In: files. Out: what rustls makes of them. What the PEM reader has to say is not passed on, since it quotes lines.

use std::path::Path;

use rustls::RootCertStore;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::{CredentialFile, CredentialsError, file};

const AUTHORITIES_MAX_BYTES: usize = 1 << 20;
const IDENTITY_MAX_BYTES: usize = 64 * 1024;

/// Reads the authorities at `path`; every certificate in it must be good for one.
pub(super) fn authorities(path: &Path) -> Result<RootCertStore, CredentialsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CredentialFile::Ca, path, AUTHORITIES_MAX_BYTES)? {
        let wrong = |source| CredentialsError::Tls { file: CredentialFile::Ca, path: path.to_owned(), source };
        roots.add(certificate).map_err(wrong)?;
    }
    Ok(roots)
}

/// Reads a certificate with its chain, and the key that belongs to it.
pub(super) fn identity(certificate: &Path, key: &Path) -> Result<CertifiedKey, CredentialsError> {
    let chain = certificates(CredentialFile::Certificate, certificate, IDENTITY_MAX_BYTES)?;
    let wrong_key = |source| CredentialsError::Tls { file: CredentialFile::Key, path: key.to_owned(), source };
    let text = file::read(CredentialFile::Key, key, IDENTITY_MAX_BYTES)?;
    let secret = PrivateKeyDer::from_pem_slice(&text).map(Zeroizing::new).map_err(|_| CredentialsError::Unusable {
        file: CredentialFile::Key,
        path: key.to_owned(),
        wrong: "it holds no private key in PEM form that needs no passphrase",
    })?;
    let signing = any_supported_type(&secret).map_err(wrong_key)?;
    let identity = CertifiedKey::new(chain, signing);
    identity.keys_match().map_err(wrong_key)?;
    Ok(identity)
}

/// All certificates of a file, at least one.
fn certificates(
    file: CredentialFile,
    path: &Path,
    max_bytes: usize,
) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let text = file::read(file, path, max_bytes)?;
    let unusable = |wrong| CredentialsError::Unusable { file, path: path.to_owned(), wrong };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.map_err(|_| unusable("it is not in PEM form"))?;
    if certificates.is_empty() {
        return Err(unusable("it holds no certificate in PEM form"));
    }
    Ok(certificates)
}
