//! Answers that would like something else to be asked, or somebody else to be told.

use std::ffi::OsStr;
use std::fs;

use bytes::Bytes;
use follower::{BaseUrl, Credentials, Fault, Mirrors, PostError, Reason, Settings};
use http::header::LOCATION;
use http::{HeaderName, HeaderValue, StatusCode};
use rustls::ServerConfig;
use schema::StorePath;
use tempfile::TempDir;

use crate::certificates::{Authority, Clients, Validity};
use crate::raw::{Raw, Then};
use crate::server::{Answer, Server, ok, status_only};
use crate::{Forged, child, impatient_mirrors, only};

const ROOT: StorePath = StorePath::Root { version: 2 };
const ASKED: &str = "/store/v1/trust/0000000002.root";
const GOOD: &[u8] = b"the signed bytes";
const MAX: u64 = 64;

/// Everything that a client could be made to betray: a certificate, a token, and servers at which that would be seen.
struct Trap {
    _files: (Authority, TempDir),
    settings: Settings,
    /// Of the base URL.
    identity: ServerConfig,
    /// Plain HTTP, on this host: it would be told the token if it were a base URL.
    plain: Server,
    tls: Server,
}

impl Trap {
    async fn set() -> Trap {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, "hunter2").unwrap();
        let client = authority.issue("client", Validity::ThisCentury);
        let credentials = Credentials {
            ca: Some(authority.certificate()),
            certificate: Some(client.certificate),
            key: Some(client.key),
            token: Some(token),
        };
        let settings = Settings { credentials, ..Settings::default() };
        let identity = authority.server("server", Validity::ThisCentury, Clients::Of(&authority));
        let plain = Server::serving(GOOD).await;
        let tls = Server::start_tls(identity.clone(), |_| async { ok(GOOD) }).await;
        Trap { _files: (authority, folder), settings, identity, plain, tls }
    }

    /// A server that is asked with all credentials, and answers as it likes.
    async fn base(&self, answer: impl Fn() -> Answer + Clone + Send + Sync + 'static) -> Server {
        Server::start_tls(self.identity.clone(), move |_| {
            let answer = answer();
            async { answer }
        })
        .await
    }

    fn mirrors(&self, base: &BaseUrl) -> Mirrors {
        Mirrors::new(vec![base.clone()], self.settings.clone()).unwrap()
    }

    /// Nobody as much as connected to anything that is no base URL.
    fn is_untouched(&self) -> bool {
        self.plain.connections() == 0 && self.tls.connections() == 0
    }
}

fn port(server: &Server) -> String {
    let url = server.base.to_string();
    url.trim_end_matches("/store/").rsplit(':').next().unwrap().to_owned()
}

#[tokio::test]
async fn a13_no_redirect_is_followed_and_nobody_else_is_told_anything() {
    let trap = Trap::set().await;
    let (plain, tls) = (port(&trap.plain), port(&trap.tls));
    let locations = [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
        format!("http://127.0.0.1:{plain}{ASKED}"),
        format!("https://localhost:{tls}{ASKED}"),
        format!("https://127.0.0.1:{tls}{ASKED}"),
        format!("https://user:password@127.0.0.1:{tls}{ASKED}"),
        format!("//127.0.0.1:{tls}{ASKED}"),
        "/store/v1/trust/0000000001.root".to_owned(),
        "data:application/octet-stream;base64,dGhlIHNpZ25lZCBieXRlcw==".to_owned(),
        format!("https://127.0.0.1%3A{tls}/%73tore/v1"),
        format!("http://[::ffff:127.0.0.1]:{plain}{ASKED}"),
        format!("https://127.0.0.1:{tls}/%0d%0aAuthorization:%20Bearer%20stolen"),
    ];
    for location in &locations {
        for status in [300, 301, 302, 303, 305, 307, 308] {
            let header = HeaderValue::from_str(location).unwrap();
            let base = trap
                .base(move || {
                    let mut answer = status_only(StatusCode::from_u16(status).unwrap());
                    answer.headers_mut().insert(LOCATION, header.clone());
                    answer
                })
                .await;
            let mirrors = trap.mirrors(&base.base);
            let failed = mirrors.fetch(&ROOT, MAX, only(GOOD)).await.expect_err("a redirect is no document");
            let Some(Reason::<Forged>::Fault(Fault::Redirect { location: refused })) =
                failed.failures.into_iter().next().map(|failure| failure.reason)
            else {
                panic!("{location} was not seen as a redirect")
            };
            assert_eq!(refused, *location);
            let failed = mirrors.post("v1/acks", Bytes::from_static(b"{}"), MAX).await;
            assert!(matches!(failed, Err(PostError::Unavailable { .. })), "{failed:?}");
            assert_eq!(base.targets(), [ASKED, "/store/v1/acks"], "{location}");
            let told: Vec<_> =
                base.asked().iter().map(|asked| asked.header("authorization") == Some("Bearer hunter2")).collect();
            assert_eq!(told, [true, true], "the base URL itself is told");
        }
        assert!(trap.is_untouched(), "{location}");
    }
}

#[tokio::test]
async fn a13_line_ends_in_a_location_are_two_headers_and_lead_nowhere() {
    let elsewhere = Server::serving(GOOD).await;
    for injected in ["\r\n ", "\r\n", "\r", "\n", "\0"] {
        let head = format!("HTTP/1.1 302 Found\r\nlocation: {}{injected}x-more: more\r\n\r\n", elsewhere.base);
        let raw = Raw::answering(head, Then::Close).await;
        let failed = impatient_mirrors(&[&raw.base]).fetch(&ROOT, MAX, only(GOOD)).await;
        assert!(failed.is_err(), "{injected:?}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a13_no_header_of_a_good_answer_changes_what_is_asked_next() {
    let trap = Trap::set().await;
    let (plain, tls) = (port(&trap.plain), port(&trap.tls));
    let headers = [
        ("alt-svc", format!("http/1.1=\"127.0.0.1:{tls}\"; ma=3600; persist=1")),
        ("content-location", format!("http://127.0.0.1:{plain}/")),
        ("link", format!("<http://127.0.0.1:{plain}/>; rel=preload")),
        ("location", format!("http://127.0.0.1:{plain}/")),
        ("refresh", format!("0; url=http://127.0.0.1:{plain}/")),
        ("set-cookie", "followed=yes; Path=/".to_owned()),
        ("proxy-authenticate", "Basic".to_owned()),
        ("www-authenticate", "Basic realm=\"other\"".to_owned()),
    ];
    let base = trap
        .base(move || {
            let mut answer = ok(GOOD);
            for (name, value) in &headers {
                answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::try_from(value).unwrap());
            }
            answer
        })
        .await;
    let mirrors = trap.mirrors(&base.base);
    for _ in 0..2 {
        mirrors.fetch(&ROOT, MAX, only(GOOD)).await.unwrap();
    }
    let asked = base.asked();
    assert_eq!(base.targets(), [ASKED, ASKED]);
    assert_eq!(asked[0].headers, asked[1].headers);
    assert!(trap.is_untouched());
}

#[tokio::test]
async fn a13_proxies_of_the_environment_are_not_asked() {
    if child::is_child() {
        return behind_proxies().await;
    }
    let (proxy, server) = (Server::serving(GOOD).await, Server::serving(GOOD).await);
    let url = format!("http://127.0.0.1:{}", port(&proxy));
    let base = server.base.to_string();
    let mut environment =
        vec![("FOLLOWER_BASE", OsStr::new(&base)), ("NO_PROXY", "".as_ref()), ("no_proxy", "".as_ref())];
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        environment.push((name, url.as_ref()));
    }
    child::run("redirects::a13_proxies_of_the_environment_are_not_asked", &environment).await;
    assert_eq!((proxy.connections(), server.targets().len()), (0, 1));
}

async fn behind_proxies() {
    let server: BaseUrl = child::told("FOLLOWER_BASE").parse().unwrap();
    impatient_mirrors(&[&server]).fetch(&ROOT, MAX, only(GOOD)).await.unwrap();
    // Where nobody listens, and a proxy would all the same answer.
    let nobody = "https://127.0.0.1:1/".parse().unwrap();
    let authority = Authority::new();
    let credentials = Credentials { ca: Some(authority.certificate()), ..Credentials::default() };
    let mirrors = Mirrors::new(vec![nobody], Settings { credentials, ..Settings::default() }).unwrap();
    mirrors.fetch(&ROOT, MAX, only(GOOD)).await.unwrap_err();
}
