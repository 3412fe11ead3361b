//! TLS on the listener, as the stock clients see it.

use std::process::Stdio;
use std::time::Duration;

use gateway::{Clients, Presence, Tls};
use schema::time::Length;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::authority::{Authority, Issued, Validity};
use crate::client::{Client, PATIENCE};
use crate::publication::Publication;
use crate::running::{Running, of_store, until};

const POINTER: &str = "/v1/apps/edge-proxy/regions/eu-west/pointer";

/// A section `tls`: the gateway shows `own`, and looks at clients' certificates as `clients` says.
pub(crate) fn tls(own: &Issued, clients: Option<(&Authority, Presence)>) -> Option<Tls> {
    let clients = clients.map(|(authority, certificate)| Clients { ca: authority.certificate(), certificate });
    Some(Tls { certificate: own.certificate.clone(), key: own.key.clone(), clients })
}

/// What `curl` got.
#[derive(Debug)]
pub(crate) struct Curled {
    /// Of HTTP; 0 where it did not come to that.
    pub(crate) status: u16,
    /// Head and body.
    pub(crate) text: String,
    /// What it complained about.
    pub(crate) said: String,
}

/// Asks a gateway with the stock `curl`.
pub(crate) async fn curl(gateway: &Running, path: &str, more: &[&str]) -> Curled {
    let url = format!("https://localhost:{}{path}", gateway.address.port());
    let mut curl = Command::new("curl");
    curl.args(["-4", "-sSi", "--max-time", "30", "-w", "\n%{http_code}"]).args(more).arg(url).kill_on_drop(true);
    let output = timeout(PATIENCE, curl.output()).await.expect("an end in time").expect("curl is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (text, status) = text.rsplit_once('\n').expect("a last line");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Curled { status: status.parse().expect("a status"), text: text.to_owned(), said }
}

/// The options for a client certificate, as `curl` and `openssl` both have them.
pub(crate) fn with(issued: &Issued) -> [&str; 4] {
    ["--cert", path(&issued.certificate), "--key", path(&issued.key)]
}

pub(crate) fn path(path: &std::path::Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Sends a request through the stock `openssl s_client`; gives all that it says.
async fn s_client(gateway: &Running, ca: &Authority, more: &[&str]) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-ign_eof", "-verify_return_error", "-connect", &gateway.address.to_string()]);
    openssl.args(["-CAfile", path(&ca.certificate())]).args(more).kill_on_drop(true);
    let openssl = openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = openssl.spawn().expect("openssl is installed");
    let mut stdin = running.stdin.take().expect("a pipe");
    // It may have given up before it reads.
    let _ = stdin.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let output = timeout(PATIENCE, running.wait_with_output()).await.expect("an end in time").expect("an output");
    drop(stdin);
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn start(publication: &Publication, tls: Option<Tls>) -> Running {
    let mut config = of_store(publication);
    config.entrance.tls = tls;
    Running::start(config)
}

#[tokio::test]
async fn the_stock_clients_speak_to_it() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let authority = Authority::new("authority");
    let gateway = start(&publication, tls(&authority.server(), None)).await;
    let ca = authority.certificate();
    let trusting = ["--cacert", path(&ca)];
    until("ready", async || curl(&gateway, "/readyz", &trusting).await.status == 200).await;
    let fetched = curl(&gateway, POINTER, &trusting).await;
    assert_eq!(fetched.status, 200, "{fetched:?}");
    assert!(fetched.text.as_bytes().ends_with(pointer.bytes()), "{fetched:?}");

    let stranger = Authority::new("stranger").certificate();
    let refused = curl(&gateway, POINTER, &["--cacert", path(&stranger)]).await;
    assert_eq!(refused.status, 0, "{refused:?}");
    assert!(refused.said.contains("certificate"), "the client does not believe a wrong authority: {refused:?}");

    for (version, spoken) in [("-tls1_3", true), ("-tls1_2", true), ("-tls1_1", false)] {
        let said = s_client(&gateway, &authority, &[version, "-alpn", "http/1.1,http/1.0"]).await;
        assert_eq!(said.contains("HTTP/1.1 200 OK"), spoken, "{version}: {said}");
        assert_eq!(said.contains("ALPN protocol: http/1.1"), spoken, "{version}: {said}");
    }
    // Who may speak either is answered in the newer one, and has to speak it then.
    let said = s_client(&gateway, &authority, &["-alpn", "http/1.1,h2"]).await;
    assert!(said.contains("ALPN protocol: h2") && !said.contains("HTTP/1.1 200 OK"), "{said}");
}

#[tokio::test]
async fn a46_only_certificates_of_the_right_authority_get_past_the_handshake() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
    let section = tls(&authority.server(), Some((&authority, Presence::Required)));
    let gateway = start(&publication, section).await;
    let ca = authority.certificate();
    let trusting = ["--cacert", path(&ca)];
    let right = authority.client("web-1");
    for path in ["/healthz", "/v1/status"] {
        let answer = curl(&gateway, path, &[&trusting[..], &with(&right)].concat()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let server_only = authority.issue("web-1", "subjectAltName=DNS:web-1\nextendedKeyUsage=serverAuth", Validity::Now);
    for (wrong, certificate, alert) in [
        ("missing", None, "certificate required"),
        ("of another authority", Some(stranger.client("web-1")), "unknown ca"),
        ("expired", Some(authority.client_with("web-1", Validity::Past)), "certificate expired"),
        ("not valid yet", Some(authority.client_with("web-1", Validity::Future)), "certificate"),
        ("for servers", Some(server_only), "certificate"),
    ] {
        let own = certificate.as_ref().map(with);
        let own = own.as_ref().map_or(&[][..], |own| &own[..]);
        let refused = curl(&gateway, "/healthz", &[&trusting[..], own].concat()).await;
        assert_eq!(refused.status, 0, "{wrong}: {refused:?}");
        let said = s_client(&gateway, &authority, own).await;
        assert!(!said.contains("HTTP/1.1 200 OK"), "{wrong}: {said}");
        assert!(said.contains("alert") && said.contains(alert), "{wrong}: {said}");
    }
    let metrics = curl(&gateway, "/metrics", &[&trusting[..], &with(&right)].concat()).await;
    assert!(metrics.text.contains("driftless_gateway_refused_total{why=\"handshake\"} 10"), "{}", metrics.text);
}

#[tokio::test]
async fn a_held_poll_is_told_of_a_change_through_tls() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let authority = Authority::new("authority");
    let gateway = start(&publication, tls(&authority.server(), None)).await;
    let connect = async || Client::connect_tls(gateway.address, &authority.certificate(), None).await;
    let mut client = connect().await;
    until("ready", async || client.get("/readyz", &[]).await.status == 200).await;
    let etag = client.get(POINTER, &[]).await.etag().to_owned();
    client.send("GET", POINTER, &[("If-None-Match", &etag), ("Prefer", "wait=100")]).await;
    let mut other = connect().await;
    until("one parked", async || other.get("/v1/status", &[]).await.json()["parked"] == 1).await;
    let second = publication.publish("edge-proxy", "eu-west", 2).await;
    assert_eq!(client.reply_to("GET").await.body, *second.bytes());
    // And of the end.
    client.send("GET", POINTER, &[("Prefer", "wait=100"), ("If-None-Match", "*")]).await;
    until("one parked", async || other.get("/v1/status", &[]).await.json()["parked"] == 1).await;
    gateway.stop().await;
    let last = client.reply_to("GET").await;
    assert_eq!((last.status, last.header("connection")), (304, Some("close")));
    assert!(client.rest().await.is_empty());
}

#[tokio::test]
async fn a47_a_handshake_that_does_not_come_is_cut_and_keeps_nobody_out() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let authority = Authority::new("authority");
    let mut config = of_store(&publication);
    config.entrance.tls = tls(&authority.server(), None);
    config.limits.header_deadline = Length(Duration::from_millis(500));
    let gateway = Running::start(config);
    let mut stalled = Vec::new();
    for beginning in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET / HTTP/1.1\r\n\r\n"] {
        for _ in 0..50 {
            let mut client = gateway.client().await;
            client.send_raw(beginning).await;
            stalled.push(client);
        }
    }
    let mut honest = Client::connect_tls(gateway.address, &authority.certificate(), None).await;
    assert_eq!(honest.get("/healthz", &[]).await.status, 200);
    for client in stalled {
        let rest = client.rest().await;
        assert!(!rest.starts_with(b"HTTP"), "nothing is answered in the clear");
    }
    assert_eq!(honest.get("/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn a47_beyond_the_caps_there_is_503_through_tls_too() {
    let publication = Publication::new();
    let authority = Authority::new("authority");
    let mut config = of_store(&publication);
    config.entrance.tls = tls(&authority.server(), None);
    config.limits.connections = 2;
    let gateway = Running::start(config);
    let connect = async || Client::connect_tls(gateway.address, &authority.certificate(), None).await;
    let (mut one, mut two) = (connect().await, connect().await);
    for held in [&mut one, &mut two] {
        assert_eq!(held.get("/healthz", &[]).await.status, 200);
    }
    let refused = connect().await.get("/healthz", &[]).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
}
