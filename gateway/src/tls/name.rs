//! Whom a client certificate names.
//!
//! The one DNS name among its subject alternative names, as it is spelled there. The common name counts for nothing: it has
//! no grammar, and a certificate may have any number of them. Whether the certificate holds is decided before.

use rustls::pki_types::CertificateDer;
use schema::AgentId;
use webpki::EndEntityCert;

/// Says why a certificate names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unnamed {
    #[error("the certificate cannot be read")]
    Unreadable,
    #[error("the certificate has no DNS name among its subject alternative names")]
    NoName,
    #[error("the certificate has more than one DNS name")]
    Several,
    #[error("the certificate's DNS name cannot be an agent's")]
    NotAName,
}

/// Whom `certificate` names.
///
/// # Errors
/// [`Unnamed`]: it may be valid for something, but not for this.
pub(crate) fn name_of(certificate: &CertificateDer<'_>) -> Result<AgentId, Unnamed> {
    let certificate = EndEntityCert::try_from(certificate).map_err(|_| Unnamed::Unreadable)?;
    let mut names = certificate.valid_dns_names();
    let name = names.next().ok_or(Unnamed::NoName)?;
    if names.next().is_some() {
        return Err(Unnamed::Several);
    }
    name.parse().map_err(|_| Unnamed::NotAName)
}
