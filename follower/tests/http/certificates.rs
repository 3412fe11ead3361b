//! Certificates for tests, made by openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;

/// An authority of its own, in a folder that goes away with it.
pub(crate) struct Authority {
    folder: TempDir,
}

/// A certificate and its key, in PEM files.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// From when to when a certificate is good.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Validity {
    ThisCentury,
    Past,
}

/// Whether a server asks who its clients are.
pub(crate) enum Clients<'a> {
    Anybody,
    Of(&'a Authority),
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority { folder };
        fs::write(authority.at("ca.cnf"), SETTINGS).unwrap();
        fs::write(authority.at("leaf.ext"), LEAF).unwrap();
        fs::write(authority.at("index.txt"), "").unwrap();
        let request =
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -keyout ca.key -out ca.pem";
        authority.openssl(&format!("{request} -subj /CN=authority"));
        authority
    }

    /// Its own certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.at("ca.pem")
    }

    /// A certificate for `127.0.0.1` and `localhost`, good for servers and for clients.
    pub(crate) fn issue(&self, name: &str, validity: Validity) -> Pair {
        let request = "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        self.openssl(&format!("{request} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        let (from, to) = match validity {
            Validity::ThisCentury => ("20200101000000Z", "20991231235959Z"),
            Validity::Past => ("20200101000000Z", "20210101000000Z"),
        };
        let sign = "ca -batch -notext -config ca.cnf -extfile leaf.ext";
        self.openssl(&format!("{sign} -in {name}.csr -out {name}.pem -startdate {from} -enddate {to}"));
        Pair { certificate: self.at(&format!("{name}.pem")), key: self.at(&format!("{name}.key")) }
    }

    /// What a server of this authority needs.
    pub(crate) fn server(&self, name: &str, validity: Validity, clients: Clients) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            Clients::Anybody => builder.with_no_client_auth(),
            Clients::Of(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(der(&authority.certificate())).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let pair = self.issue(name, validity);
        builder.with_single_cert(vec![der(&pair.certificate)], PrivateKeyDer::from_pem_file(pair.key).unwrap()).unwrap()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let ran = Command::new("openssl").args(arguments.split(' ')).current_dir(&self.folder).output().unwrap();
        assert!(ran.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

/// The first certificate of a PEM file.
pub(crate) fn der(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

const SETTINGS: &str = "
[ca]
default_ca = here
[here]
database = index.txt
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
[any]
commonName = supplied
";

const LEAF: &str = "
basicConstraints = CA:FALSE
subjectAltName = IP:127.0.0.1, DNS:localhost
";
