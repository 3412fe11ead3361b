//! Who is shown what, and who is believed.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use follower::{BaseUrl, Credentials, Expected, Fault, FetchError, Mirrors, MirrorsError, Reason, Settings};
use schema::{Digest, StorePath};

use crate::certificates::{Authority, Clients, Pair, Validity, der};
use crate::follow::{accept, follow};
use crate::server::{Server, ok};
use crate::{Forged, child, only};

const ROOT: StorePath = StorePath::Root { version: 2 };
const GOOD: &[u8] = b"the signed bytes";
const MAX: u64 = 64;

pub(crate) fn with(bases: &[&BaseUrl], credentials: Credentials) -> Mirrors {
    let settings = Settings { credentials, ..Settings::default() };
    Mirrors::new(bases.iter().map(|base| (*base).clone()).collect(), settings).unwrap()
}

pub(crate) async fn fetch(mirrors: &Mirrors) -> Result<Bytes, FetchError<Forged>> {
    mirrors.fetch(&ROOT, MAX, only(GOOD)).await
}

fn token(folder: &Path) -> PathBuf {
    let path = folder.join("token");
    fs::write(&path, "hunter2\n").unwrap();
    path
}

fn shown(pair: Pair, authority: &Authority) -> Credentials {
    Credentials {
        ca: Some(authority.certificate()),
        certificate: Some(pair.certificate),
        key: Some(pair.key),
        token: None,
    }
}

/// Why the only base URL gave nothing, with all causes.
fn reason(failed: Result<Bytes, FetchError<Forged>>) -> String {
    let failed = failed.expect_err("nothing was to be had");
    assert!(
        matches!(failed.failures.iter().next().unwrap().reason, Reason::Fault(Fault::Connect(_) | Fault::Exchange(_))),
        "{failed:?}"
    );
    failed.to_string()
}

#[tokio::test]
async fn a_token_goes_with_every_kind_of_request() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serving(GOOD).await;
    let mirrors = with(&[&server.base], Credentials { token: Some(token(folder.path())), ..Credentials::default() });
    fetch(&mirrors).await.unwrap();
    mirrors.search(&ROOT, MAX, std::time::Duration::from_secs(60), only(GOOD)).await.unwrap();
    mirrors.post("v1/acks", Bytes::from_static(b"{}"), MAX).await.unwrap();
    mirrors.ask("v1/status", MAX).await.unwrap();
    let path = StorePath::Bundle { app: "edge-proxy".parse().unwrap(), digest: Digest::of(GOOD) };
    let expected = Expected { size: GOOD.len() as u64, sha256: Digest::of(GOOD) };
    mirrors.download(&path, expected, Vec::new()).await.unwrap();
    accept(&mut follow(&mirrors), GOOD).await;
    let told: Vec<_> = server.asked().into_iter().map(|asked| asked.headers["authorization"].clone()).collect();
    assert_eq!(told, ["Bearer hunter2"; 6]);
}

#[tokio::test]
async fn a13_a_token_is_not_told_where_others_listen() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serving(GOOD).await;
    // The same server by a name that does not say that it is this host.
    let open: BaseUrl = server.base.to_string().replace("127.0.0.1", "0.0.0.0").parse().unwrap();
    assert!(server.base.takes_tokens() && !open.takes_tokens());
    let token = token(folder.path());
    let mirrors = with(&[&open], Credentials { token: Some(token), ..Credentials::default() });
    fetch(&mirrors).await.unwrap();
    mirrors.post("v1/acks", Bytes::from_static(b"{}"), MAX).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|asked| asked.header("authorization").is_none()));
}

#[tokio::test]
async fn a14_a_server_is_believed_if_the_given_authority_vouches_for_it_today() {
    let (ours, other) = (Authority::new(), Authority::new());
    let believing = |authority: &Authority, server: &Server| {
        with(&[&server.base], Credentials { ca: Some(authority.certificate()), ..Credentials::default() })
    };
    let good = Server::start_tls(ours.server("good", Validity::ThisCentury, Clients::Anybody), |_| async { ok(GOOD) });
    let good = good.await;
    fetch(&believing(&ours, &good)).await.unwrap();
    let refused = reason(fetch(&believing(&other, &good)).await);
    // Two authorities of one name: what does not fit is the signature.
    assert!(refused.contains("UnknownIssuer") || refused.contains("BadSignature"), "{refused}");
    let old = Server::start_tls(ours.server("old", Validity::Past, Clients::Anybody), |_| async { ok(GOOD) }).await;
    let refused = reason(fetch(&believing(&ours, &old)).await);
    assert!(refused.contains("expired"), "{refused}");
    let by_name: BaseUrl = good.base.to_string().replace("127.0.0.1", "127.0.0.2").parse().unwrap();
    let mirrors = with(&[&by_name], Credentials { ca: Some(ours.certificate()), ..Credentials::default() });
    reason(fetch(&mirrors).await);
    assert_eq!((good.asked().len(), old.asked().len()), (1, 0));
}

#[tokio::test]
async fn a14_with_an_authority_of_ones_own_those_of_the_system_count_no_more() {
    if child::is_child() {
        return with_authorities_of_the_system().await;
    }
    let (ours, systems) = (Authority::new(), Authority::new());
    let tls = systems.server("server", Validity::ThisCentury, Clients::Anybody);
    let server = Server::start_tls(tls, |_| async { ok(GOOD) }).await;
    let base = server.base.to_string();
    let (systems, ours) = (systems.certificate(), ours.certificate());
    let environment = [
        ("SSL_CERT_FILE", systems.as_os_str()),
        ("FOLLOWER_BASE", OsStr::new(&base)),
        ("FOLLOWER_CA", ours.as_os_str()),
    ];
    child::run("credentials::a14_with_an_authority_of_ones_own_those_of_the_system_count_no_more", &environment).await;
    assert_eq!(server.asked().len(), 1);
}

async fn with_authorities_of_the_system() {
    let base = child::told("FOLLOWER_BASE").parse().unwrap();
    fetch(&with(&[&base], Credentials::default())).await.unwrap();
    let ca = Some(child::told("FOLLOWER_CA").into());
    reason(fetch(&with(&[&base], Credentials { ca, ..Credentials::default() })).await);
}

#[tokio::test]
async fn a_certificate_is_shown_to_those_who_ask_and_only_a_good_one_opens() {
    let (ours, other) = (Authority::new(), Authority::new());
    let tls = ours.server("server", Validity::ThisCentury, Clients::Of(&ours));
    let server = Server::start_tls(tls, |_| async { ok(GOOD) }).await;
    let good = ours.issue("agent-1", Validity::ThisCentury);
    let certificate = der(&good.certificate).to_vec();
    fetch(&with(&[&server.base], shown(good, &ours))).await.unwrap();
    assert_eq!(server.asked()[0].certificate, Some(certificate));

    reason(fetch(&with(&[&server.base], Credentials { ca: Some(ours.certificate()), ..Credentials::default() })).await);
    let expired = ours.issue("agent-2", Validity::Past);
    reason(fetch(&with(&[&server.base], shown(expired, &ours))).await);
    let foreign = other.issue("agent-3", Validity::ThisCentury);
    reason(fetch(&with(&[&server.base], shown(foreign, &ours))).await);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn each_file_that_cannot_be_used_is_named_before_anything_is_sent() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        Some(path)
    };
    let pair = authority.issue("agent-1", Validity::ThisCentury);
    let other = authority.issue("agent-2", Validity::ThisCentury);
    let (certificate, key, other) = (Some(pair.certificate), Some(pair.key), Some(other.key));
    let missing = Some(folder.path().join("missing"));
    let page = write("page", b"<html>hunter2</html>");
    let cut = write("cut", b"-----BEGIN PRIVATE KEY-----\nhunter2\n");
    let no_der = write("no-der", b"-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n");
    let locked = write("locked", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let none = Credentials::default();
    let both = Credentials { certificate: certificate.clone(), key: key.clone(), ..none.clone() };
    assert!(none.check().is_ok() && both.check().is_ok());
    for (credentials, expected) in [
        (Credentials { certificate: certificate.clone(), ..none.clone() }, "give both or neither"),
        (Credentials { key: key.clone(), ..none.clone() }, "give both or neither"),
        (Credentials { key: other, ..both.clone() }, "private key `"),
        (Credentials { key: missing.clone(), ..both.clone() }, "private key `"),
        (Credentials { key: cut, ..both.clone() }, "no private key in PEM form"),
        (Credentials { key: locked, ..both.clone() }, "needs no passphrase"),
        (Credentials { key: certificate, ..both.clone() }, "no private key in PEM form"),
        (Credentials { certificate: key, ..both.clone() }, "holds no certificate in PEM form"),
        (Credentials { certificate: page.clone(), ..both }, "holds no certificate in PEM form"),
        (Credentials { ca: page.clone(), ..none.clone() }, "holds no certificate in PEM form"),
        (Credentials { ca: no_der, ..none.clone() }, "authority file `"),
        (Credentials { ca: missing.clone(), ..none.clone() }, "cannot be read"),
        (Credentials { ca: Some(folder.path().to_owned()), ..none.clone() }, "not a regular file"),
        (Credentials { token: missing, ..none.clone() }, "cannot be read"),
        (Credentials { token: write("empty", b"\n"), ..none.clone() }, "is empty"),
        (Credentials { token: write("two", b"hunter2 hunter2"), ..none }, "one line"),
    ] {
        let refused = credentials.check().expect_err(expected);
        assert!(refused.to_string().contains(expected), "{expected}: {refused}");
        assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
        let base = "http://127.0.0.1/".parse().unwrap();
        let mirrors = Mirrors::new(vec![base], Settings { credentials, ..Settings::default() });
        assert!(matches!(mirrors, Err(MirrorsError::Credentials(_))), "{mirrors:?}");
    }
}

#[test]
fn a_configuration_names_files_that_count_from_its_folder() {
    let read = |text| schema::yaml::from_str::<Credentials>("agent.yaml", text, &schema::Limits::DEFAULT);
    let mut credentials = read("{ca: tls/ca.pem, token: /run/token}").unwrap();
    credentials.resolve(Path::new("/etc/driftless"));
    let expected = Credentials {
        ca: Some("/etc/driftless/tls/ca.pem".into()),
        token: Some("/run/token".into()),
        ..Credentials::default()
    };
    assert_eq!(credentials, expected);
    assert!(read("{tokens: /run/token}").is_err());
}
