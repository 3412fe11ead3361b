//! Certificates made by the stock `openssl`, right ones and wrong ones.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A certificate authority in a folder of its own.
pub(crate) struct Authority {
    folder: TempDir,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// When a certificate counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Validity {
    Now,
    Past,
    Future,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority { folder };
        authority.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj",
            &[&format!("/CN={name}")],
        );
        std::fs::write(authority.path("index.txt"), "").expect("a write");
        std::fs::write(authority.path("serial"), "01").expect("a write");
        std::fs::write(authority.path("ca.cnf"), CONFIG).expect("a write");
        authority
    }

    /// The certificate of the authority itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// A certificate for a server on this host.
    pub(crate) fn server(&self) -> Issued {
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth";
        self.issue("localhost", names, Validity::Now)
    }

    /// A certificate for a client with that name.
    pub(crate) fn client(&self, name: &str) -> Issued {
        self.client_with(name, Validity::Now)
    }

    pub(crate) fn client_with(&self, name: &str, validity: Validity) -> Issued {
        self.issue(name, &format!("subjectAltName=DNS:{name}\nextendedKeyUsage=clientAuth"), validity)
    }

    /// A certificate with these extensions.
    pub(crate) fn issue(&self, common_name: &str, extensions: &str, validity: Validity) -> Issued {
        let (start, end) = match validity {
            Validity::Now => ("20200101000000Z", "20900101000000Z"),
            Validity::Past => ("20200101000000Z", "20200102000000Z"),
            Validity::Future => ("20890101000000Z", "20900101000000Z"),
        };
        let number = std::fs::read_to_string(self.path("serial")).expect("a number").trim().to_owned();
        let file = |kind: &str| format!("{number}.{kind}");
        std::fs::write(self.path(&file("ext")), extensions).expect("a write");
        let (key, request, certificate) = (file("key"), file("csr"), file("crt"));
        self.openssl(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes",
            &["-keyout", &key, "-out", &request, "-subj", &format!("/CN={common_name}")],
        );
        self.openssl(
            "ca -batch -notext -config ca.cnf",
            &["-in", &request, "-out", &certificate, "-extfile", &file("ext"), "-startdate", start, "-enddate", end],
        );
        Issued { certificate: self.path(&certificate), key: self.path(&key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, command: &str, more: &[&str]) {
        let mut openssl = Command::new("openssl");
        openssl.args(command.split(' ')).args(more).current_dir(self.folder.path());
        let output = openssl.output().expect("openssl is installed");
        assert!(output.status.success(), "{openssl:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Issued {
    /// Puts copies of both where a gateway looks for its own, each by one rename.
    pub(crate) fn put(&self, certificate: &Path, key: &Path) {
        for (from, to) in [(&self.certificate, certificate), (&self.key, key)] {
            let aside = to.with_extension("aside");
            std::fs::copy(from, &aside).expect("a copy");
            std::fs::rename(&aside, to).expect("a rename");
        }
    }
}

const CONFIG: &str = "[ca]\ndefault_ca=here\n[here]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n\
certificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n";
