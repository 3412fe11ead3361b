//! Certificates that are replaced while a gateway runs.

use std::path::PathBuf;

use gateway::{Clients, Presence, Tls};
use tempfile::TempDir;

use crate::authority::Authority;
use crate::client::Client;
use crate::publication::Publication;
use crate::running::{Running, of_store, until};

/// Where a gateway looks for its own certificate.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a folder") }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tls(&self) -> Tls {
        Tls { certificate: self.file("gateway.pem"), key: self.file("gateway.key"), clients: None }
    }
}

async fn metrics(client: &mut Client) -> String {
    String::from_utf8(client.get("/metrics", &[]).await.body.to_vec()).expect("text")
}

#[tokio::test]
async fn new_connections_see_the_new_certificate_and_old_ones_go_on() {
    let (publication, authority, place) = (Publication::new(), Authority::new("authority"), Place::new());
    let (certificate, key) = (place.file("gateway.pem"), place.file("gateway.key"));
    authority.server().put(&certificate, &key);
    let mut config = of_store(&publication);
    config.entrance.tls = Some(place.tls());
    let gateway = Running::start(config);
    let connect = async || Client::connect_tls(gateway.address, &authority.certificate(), None).await;
    let mut old = connect().await;
    let shown = old.certificate.clone();
    assert_eq!(old.get("/healthz", &[]).await.status, 200);

    // A certificate without its key is kept out, and told.
    let second = authority.server();
    std::fs::copy(&second.certificate, &certificate).expect("a copy");
    let complains = "driftless_gateway_reloads_total{what=\"tls\",outcome=\"refused\"}";
    until("a complaint", async || metrics(&mut old).await.contains(complains)).await;
    let status = old.get("/v1/status", &[]).await.json();
    assert!(status["source"]["problem"].as_str().is_some_and(|problem| problem.contains("gateway.key")), "{status}");
    assert_eq!(connect().await.certificate, shown);

    // With its key it is the one.
    std::fs::copy(&second.key, &key).expect("a copy");
    until("another certificate", async || connect().await.certificate != shown).await;
    assert_eq!(old.get("/v1/status", &[]).await.json()["source"]["problem"], serde_json::Value::Null);

    // Rubbish, and nothing at all, change nothing.
    let now = connect().await.certificate;
    std::fs::write(&key, "rubbish").expect("a write");
    until("a complaint", async || !old.get("/v1/status", &[]).await.json()["source"]["problem"].is_null()).await;
    std::fs::remove_file(&certificate).expect("a file");
    assert_eq!(connect().await.certificate, now);
    assert_eq!(old.get("/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn an_authority_that_is_replaced_lets_its_certificates_in_no_more() {
    let (publication, place) = (Publication::new(), Place::new());
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let ca = place.file("clients.pem");
    std::fs::copy(first.certificate(), &ca).expect("a copy");
    first.server().put(&place.file("gateway.pem"), &place.file("gateway.key"));
    let clients = Some(Clients { ca: ca.clone(), certificate: Presence::Required });
    let mut config = of_store(&publication);
    config.entrance.tls = Some(Tls { clients, ..place.tls() });
    let gateway = Running::start(config);
    let (old, new) = (first.client("web-1"), second.client("web-1"));
    let is_let_in = async |issued| {
        // In TLS 1.3 a client learns that it was refused with the first answer that does not come.
        let mut client = Client::connect_tls(gateway.address, &first.certificate(), Some(issued)).await;
        client.send("GET", "/healthz", &[("Connection", "close")]).await;
        client.rest().await.starts_with(b"HTTP/1.1 200")
    };
    assert!(is_let_in(&old).await && !is_let_in(&new).await);
    std::fs::copy(second.certificate(), &ca).expect("a copy");
    until("the new authority", async || is_let_in(&new).await).await;
    assert!(!is_let_in(&old).await, "nothing of the old authority is remembered");
}

#[tokio::test]
async fn a_gateway_does_not_start_with_certificates_that_cannot_be_used() {
    let (publication, authority, place) = (Publication::new(), Authority::new("authority"), Place::new());
    let (certificate, key) = (place.file("gateway.pem"), place.file("gateway.key"));
    let refusal = || {
        let mut config = of_store(&publication);
        config.entrance.tls = Some(place.tls());
        let error = gateway::Gateway::bind(config, None).expect_err("no usable pair");
        let cause = std::error::Error::source(&error).expect("a cause").to_string();
        (error.to_string(), cause)
    };
    assert!(refusal().1.contains("could not read") && refusal().1.contains("gateway.pem"));
    let (one, other) = (authority.server(), authority.server());
    one.put(&certificate, &key);
    std::fs::copy(&other.key, &key).expect("a copy");
    assert!(refusal().1.contains("cannot be used together"), "{:?}", refusal());
    std::fs::copy(&one.certificate, &key).expect("a copy");
    assert!(refusal().1.contains("no usable private key in"), "{:?}", refusal());
}
